package run

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/harness/observe/sockets"
)

// destroySockets ends connections in the network namespace of a process by SOCK_DESTROY
// (sock_diag(7), CONFIG_INET_DIAG_DESTROY). A connection that is gone already is ended.
func destroySockets(pid int, rows []sockets.Row) error {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("enter network namespace of process %d: %w", pid, err)
	}
	defer ns.Close()
	handle, err := netlink.NewHandleAt(ns, unix.NETLINK_INET_DIAG)
	if err != nil {
		return fmt.Errorf("ask for sockets of process %d: %w", pid, err)
	}
	defer handle.Close()
	for _, r := range rows {
		err := handle.SocketDestroy(net.TCPAddrFromAddrPort(r.Local), net.TCPAddrFromAddrPort(r.Peer))
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("end connection %s to %s: %w", r.Local, r.Peer, err)
		}
	}
	return nil
}
