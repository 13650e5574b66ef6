package run

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netns"
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

// commandFromHost runs one of the host's own programs in the network namespace of a process. What
// it prints is never nil.
func commandFromHost(ctx context.Context, pid int, command []string) (text []byte, err error) {
	err = inNetworkOf(pid, func() error {
		text, err = output(ctx, command)
		return err
	})
	return text, err
}

func output(ctx context.Context, command []string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	program := exec.CommandContext(ctx, command[0], command[1:]...)
	program.Stdout, program.Stderr = &stdout, &stderr
	if err := program.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", command[0], err, firstLine(stderr.Bytes()))
	}
	return append([]byte{}, stdout.Bytes()...), nil
}
