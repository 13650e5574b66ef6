//go:build linux

package probetest

import (
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func threadID() int { return unix.Gettid() }

// loopback brings lo up in the network namespace of the calling thread.
func loopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}
