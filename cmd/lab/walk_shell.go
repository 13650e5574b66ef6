package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/screen"

	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/trust"
)

// oursToRun says whether a program that the environment names may be run: root runs none that
// others can write.
func oursToRun(program string) bool { return os.Geteuid() != 0 || trust.Path(program) == nil }

// shellOf opens a shell of the lab, or runs one line in it. In it KUBECONFIG, kubectl and istioctl
// are the lab's, and lab itself is there. It is a job of its own on the terminal: Ctrl-C ends what
// runs in it, and not the lesson.
func (w *walkOf) shellOf(lab script.Lab) func(context.Context, string) error {
	return func(ctx context.Context, line string) error {
		programs, err := os.MkdirTemp("", "flowproof-shell-")
		if err != nil {
			return fault.Environmentf("open shell: %w (is the disk full? TMPDIR names another)", err)
		}
		defer removal.All(programs)
		if err := w.linkPrograms(ctx, programs); err != nil {
			return err
		}
		shell := "/bin/sh"
		if chosen := os.Getenv("SHELL"); filepath.IsAbs(chosen) && line == "" && oursToRun(chosen) {
			shell = chosen
		}
		args := []string{}
		if line != "" {
			args = []string{"-c", line}
		}
		cmd := exec.CommandContext(ctx, shell, args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+lab.Mesh.Kubeconfig(),
			"PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"), "FLOWPROOF_WALK=1")
		if lab.Cluster == nil || lab.Cluster.Backend != existing.Name {
			cmd.Env = append(cmd.Env, "KUBECACHEDIR="+os.DevNull)
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = w.In, screen.Raw(w.Out), screen.Raw(w.Err)
		if line != "" && !isTerminalFile(w.In) {
			cmd.Stdin = nil // the lines that are still to come are the lesson's
		}
		err = foreground(cmd)
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			if line == "" {
				return nil // the last command's, which has said it
			}
			return fmt.Errorf("exit code %d", failed.ExitCode())
		}
		return err
	}
}

// linkPrograms puts the lab's own programs into a folder under their names.
func (w *walkOf) linkPrograms(ctx context.Context, dir string) error {
	programs := []string{"kubectl", istioctlProgram}
	if _, err := components.Find(componentOptions()); err == nil {
		programs = programs[:1] // istioctl is made when it is first called
		call := "#!/bin/sh\nexec \"$(dirname \"$0\")/lab\" " + istioctlVerb + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, istioctlProgram), []byte(call), 0o700); err != nil {
			return fault.Environmentf("open shell: %w", err)
		}
	}
	for _, program := range programs {
		if path, err := w.findProgram(ctx, program); err == nil {
			if err := os.Symlink(path, filepath.Join(dir, program)); err != nil {
				return fault.Environmentf("open shell: %w", err)
			}
		}
	}
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "lab"))
	}
	if err != nil {
		return fault.Environmentf("open shell: %w", err)
	}
	return nil
}
