package script

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netns"
)

// inNetworkOf runs f on a thread that is in the network namespace of a process, and so is every program that f starts.
func inNetworkOf(pid int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, so that nobody else comes into the namespace
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

// netfilterFromHost reads the rules and tracked connections in the network namespace of a process with the host's own
// iptables-save. conntrack is nil where the kernel shows none (CONFIG_NF_CONNTRACK_PROCFS).
func netfilterFromHost(ctx context.Context, pid int) (rules, conntrack []byte, err error) {
	err = inNetworkOf(pid, func() error {
		var stdout, stderr bytes.Buffer
		save := exec.CommandContext(ctx, rulesCommand[0], rulesCommand[1:]...)
		save.Stdout, save.Stderr = &stdout, &stderr
		if err := save.Run(); err != nil {
			return fmt.Errorf("%s: %w: %s", rulesCommand[0], err, firstLine(stderr.Bytes()))
		}
		rules = stdout.Bytes()
		conntrack, _ = os.ReadFile("/proc/thread-self/net/nf_conntrack")
		return nil
	})
	return rules, conntrack, err
}
