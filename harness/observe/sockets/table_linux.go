package sockets

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// socketTable is the TCP sockets of the network namespace of a process with their owners, in the
// form of ss on this host: it asks the kernel as ss does (sock_diag(7)). ss looks at every
// descriptor of every process of this machine for the owners. Here those of the namespace's own
// processes are looked at, and all others only where a socket that listens is none of theirs, such
// as a node's proxy has in a pod's network.
func socketTable(pid int) ([]byte, error) {
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("find network namespace of process %d: %w", pid, err)
	}
	inside, outside, err := byNetwork(own)
	if err != nil {
		return nil, err
	}
	owners := ownersOf(inside)
	all, err := socketsOf(pid)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.State == unix.BPF_TCP_LISTEN && s.INode != 0 && owners[s.INode] == "" {
			for inode, of := range ownersOf(outside) {
				owners[inode] += of
			}
			break
		}
	}
	table := []byte{}
	for _, s := range all {
		table = fmt.Appendf(table, "%-9s %-6d %-6d %21s %21s", State(s.State), s.RQueue, s.WQueue,
			end(s.Family, s.ID.Source, s.ID.SourcePort), end(s.Family, s.ID.Destination, s.ID.DestinationPort))
		if of := owners[s.INode]; of != "" && s.INode != 0 {
			table = append(append(append(table, " users:("...), strings.TrimSuffix(of, ",")...), ')')
		}
		table = append(table, '\n')
	}
	return table, nil
}

// socketsOf asks for all TCP sockets of the network namespace of a process.
func socketsOf(pid int) ([]*netlink.Socket, error) {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return nil, fmt.Errorf("enter network namespace of process %d: %w", pid, err)
	}
	defer ns.Close()
	handle, err := netlink.NewHandleAt(ns, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("ask for sockets of process %d: %w", pid, err)
	}
	defer handle.Close()
	var all []*netlink.Socket
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		some, err := handle.SocketDiagTCP(family)
		if err != nil {
			return nil, fmt.Errorf("ask for sockets of process %d: %w", pid, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// end is one end of a socket of a family as ss prints it. An IPv4 address in IPv6 form stays in it
// where the socket is of IPv6.
func end(family uint8, ip net.IP, port uint16) string {
	address, _ := netip.AddrFromSlice(ip)
	if family == unix.AF_INET {
		address = address.Unmap() // package net has any address as 16 bytes
	}
	if port == 0 {
		return strings.TrimSuffix(netip.AddrPortFrom(address, 0).String(), "0") + "*"
	}
	return netip.AddrPortFrom(address, port).String()
}

// byNetwork are the processes of this machine whose network namespace has a name, and the others.
func byNetwork(name string) (inside, outside []string, err error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, nil, err
	}
	for _, pid := range names {
		if pid[0] < '0' || pid[0] > '9' {
			continue
		}
		switch of, err := os.Readlink("/proc/" + pid + "/ns/net"); {
		case err != nil: // it has ended
		case of == name:
			inside = append(inside, pid)
		default:
			outside = append(outside, pid)
		}
	}
	return inside, outside, nil
}

// ownersOf are the descriptors of processes that are sockets, by the socket's inode, as ss prints
// them: ("envoy",pid=1,fd=2),
func ownersOf(pids []string) map[uint32]string {
	owners := map[uint32]string{}
	for _, pid := range pids {
		fds, err := os.Open("/proc/" + pid + "/fd")
		if err != nil {
			continue // it has ended
		}
		names, _ := fds.Readdirnames(-1)
		fds.Close()
		process := ""
		for _, fd := range names {
			link, _ := os.Readlink("/proc/" + pid + "/fd/" + fd)
			text, ok := strings.CutPrefix(link, "socket:[")
			inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 32)
			if !ok || err != nil {
				continue
			}
			if process == "" {
				process = nameOf(pid)
			}
			owners[uint32(inode)] += `("` + process + `",pid=` + pid + ",fd=" + fd + "),"
		}
	}
	return owners
}

// nameOf is the name of a process without what would end it in a table: a process gives itself any
// name.
func nameOf(pid string) string {
	comm, _ := os.ReadFile("/proc/" + pid + "/comm")
	return strings.Map(func(c rune) rune {
		if c < ' ' || strings.ContainsRune(`"(),\`, c) {
			return '?'
		}
		return c
	}, string(bytes.TrimSuffix(comm, []byte("\n"))))
}
