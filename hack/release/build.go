package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// goBuild compiles the command to path with further environment. No path of this machine and no
// state of a version control system gets into it.
func (r release) goBuild(ctx context.Context, path string, env ...string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.release="+r.version, "-o", path, "./cmd/lab")
	cmd.Dir = r.source
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build lab: %w\n%s", err, out)
	}
	return nil
}

// documents builds lab for this machine and has it write its manual pages and completions. It
// returns their folder.
func (r release) documents(ctx context.Context, scratch string) (string, error) {
	lab, dir := filepath.Join(scratch, "here", "lab"), filepath.Join(scratch, "documents")
	if err := r.goBuild(ctx, lab); err != nil {
		return "", err
	}
	man, completions := filepath.Join(dir, "man", "man1"), filepath.Join(dir, "completions")
	for _, d := range []string{man, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return "", err
		}
	}
	if out, err := exec.CommandContext(ctx, lab, "__man", man).CombinedOutput(); err != nil {
		return "", fmt.Errorf("write manual pages: %w\n%s", err, out)
	}
	for shell, file := range map[string]string{"bash": "lab.bash", "zsh": "_lab", "fish": "lab.fish",
		"powershell": "lab.ps1"} {
		out, err := exec.CommandContext(ctx, lab, "completion", shell).Output()
		if err != nil {
			return "", fmt.Errorf("write completion for %s: %w", shell, err)
		}
		if err := os.WriteFile(filepath.Join(completions, file), out, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}
