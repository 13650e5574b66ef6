package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
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
	if _, err := exec.LookPath(command[0]); err != nil {
		return nil, err // as the program itself would say; no thread is spent
	}
	err = inNetworkOf(pid, func() error {
		text, err = output(ctx, command)
		return err
	})
	if err == nil && command[0] == "iptables-save" && !bytes.Contains(text, []byte("-A ")) && legacyTables(pid) {
		return nil, errLegacy
	}
	return text, err
}

// errLegacy says why the host's iptables-save is not believed that a pod has no rules.
var errLegacy = errors.New("the pod has tables of iptables-legacy, which the iptables-save of this host may not show")

// legacyTables says whether a network namespace has tables that were made by iptables-legacy: an
// iptables-save that shows nft's own tables (iptables-nft(8)) shows none of them.
func legacyTables(pid int) bool {
	names, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/ip_tables_names", pid))
	return err == nil && len(bytes.TrimSpace(names)) > 0
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
