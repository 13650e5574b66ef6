//go:build linux

package node

import (
	"errors"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// needRoot skips a test that makes namespaces where that is not allowed; in CI it has to run.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("this test needs root, and CI has to run it")
		}
		t.Skip("needs root: it makes a network namespace")
	}
}

// inNetworkNamespace runs f in a new network namespace, in a thread that ends with it.
// The mount namespace is new as well, because /proc/sys/net shows the namespace of the
// process that mounted it.
func inNetworkNamespace(t *testing.T, f func() error) {
	t.Helper()
	needRoot(t)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime ends the thread, and with it the namespace
		if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_FS); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestNothingLeavesTheNode(t *testing.T) {
	inNetworkNamespace(t, func() error {
		if err := setUpNetwork(); err != nil {
			return err
		}
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "cni0"}} // what the rules wait for
		if err := netlink.LinkAdd(bridge); err != nil {
			return err
		}
		for _, tt := range []struct {
			destination string
			from        string // interface that a packet arrives on; "" for the node itself
			unreachable bool
		}{
			{destination: "192.0.2.1", from: "cni0", unreachable: true},
			{destination: "10.96.0.10", from: "cni0", unreachable: true}, // not translated
			{destination: nodeIP, from: "cni0"},
			{destination: "10.96.0.10"}, // the node's own dials get a route, so that they can be translated
		} {
			_, err := netlink.RouteGetWithOptions(net.ParseIP(tt.destination), &netlink.RouteGetOptions{Iif: tt.from,
				SrcAddr: sourceFor(tt.from)})
			if got := errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH); got != tt.unreachable {
				t.Errorf("route to %s from %q: %v, want unreachable: %v", tt.destination, tt.from, err, tt.unreachable)
			}
		}
		return nil
	})
}

func sourceFor(iif string) net.IP {
	if iif == "" {
		return nil
	}
	return net.ParseIP("172.21.206.200")
}
