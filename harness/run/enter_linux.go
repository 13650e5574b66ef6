package run

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/vishvananda/netns"

	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/internal/trust"
)

// inNetworkOf runs f on a thread that is in the network namespace of a process, and so is every
// program that f starts.
func inNetworkOf(pid int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		// and never unlocked: the thread ends with the goroutine, so that no other goroutine gets
		// the namespace
		runtime.LockOSThread()
		done <- func() error {
			ns, err := netns.GetFromPid(pid)
			if err != nil {
				return fmt.Errorf("find network namespace of process %d: %w", pid, err)
			}
			defer ns.Close()
			if err := netns.Set(ns); err != nil {
				return fmt.Errorf("enter network namespace of process %d: %w", pid, err)
			}
			return f()
		}()
	}()
	return <-done
}

// commandFromHost runs a command with one of the host's own programs, or one of the embedded node's
// where the host does not have it, in the network namespace of a process. What it prints is never
// nil.
func commandFromHost(ctx context.Context, pid int, command instrument.Command) (text []byte, err error) {
	words, root := command.Words, ""
	if command.OnHost != nil {
		words = command.OnHost
	}
	if program, err := trust.LookPath(words[0]); err == nil {
		words = append([]string{program}, words[1:]...)
	} else {
		if command.Netlink {
			root, words = nodesOwn(pid, words)
		}
		if root == "" {
			return nil, err // as the program itself would say; no thread is spent
		}
	}
	err = inNetworkOf(pid, func() error {
		text, err = output(ctx, root, words)
		return err
	})
	if err == nil && command.Doubt != nil {
		err = command.Doubt(pid, text)
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}

// nodesOwn is the root in which a command can be run that the host does not have, and the command
// as it is there; "" where there is none. It is the base that the embedded node's root is laid
// over: what a pod writes stands in the layer above, and no other user can write the base.
func nodesOwn(pid int, command []string) (root string, there []string) {
	if root = baseOf(pid); root == "" || trust.Path(root) != nil {
		return "", command
	}
	for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
		if _, err := os.Lstat(root + dir + "/" + command[0]); err == nil {
			return root, append([]string{dir + "/" + command[0]}, command[1:]...)
		}
	}
	return "", command
}

// baseOf is the only lower layer of the overlay that is the root of what started a container, by
// the container's first process; "" where its root is none. What started it is outside of the
// container's PID namespace: a parent inside of it is the pod's own, with the root of an image.
func baseOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // proc(5): state, then the parent
	if len(fields) < 2 {
		return ""
	}
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	starter, unknown := os.Readlink("/proc/" + fields[1] + "/ns/pid")
	if err != nil || unknown != nil || own == starter {
		return ""
	}
	mounts, err := os.ReadFile("/proc/" + fields[1] + "/mountinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(mounts)) {
		mount, source, _ := strings.Cut(line, " - ") // proc(5): type, source, options
		at, of := strings.Fields(mount), strings.Fields(source)
		if len(at) < 5 || at[4] != "/" || len(of) < 3 || of[0] != "overlay" {
			continue
		}
		for option := range strings.SplitSeq(of[2], ",") {
			if base, is := strings.CutPrefix(option, "lowerdir="); is && !strings.Contains(base, ":") {
				return base
			}
		}
	}
	return ""
}

// output runs a command, in a root of its own where that is not "".
func output(ctx context.Context, root string, command []string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	program := exec.CommandContext(ctx, command[0], command[1:]...)
	if root != "" {
		program.SysProcAttr, program.Dir = &syscall.SysProcAttr{Chroot: root}, "/"
	}
	program.Stdout, program.Stderr = &stdout, &stderr
	if err := program.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", command[0], err, firstLine(stderr.Bytes()))
	}
	return append([]byte{}, stdout.Bytes()...), nil
}
