// Package probe loads, attaches and reads a set of BPF programs. Every set has the same maps
// (see ../include/probe.h): a ring buffer of events, counters of what was emitted and what was
// lost, and the network namespaces that are watched. A set may also have a ring of memory for
// each CPU (see ../kernel/ring.h).
package probe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// A Head is the fixed part of every event: struct head of ../include/probe.h, byte for byte.
type Head struct {
	Time                  uint64 // CLOCK_MONOTONIC, ns
	Socket                uint64 // the kernel's socket, as an opaque number
	Value                 uint64 // what the kind says
	TGID, TID             uint32 // process and thread in the initial PID namespace; 0 where no process did it
	FD, Result            int32  // descriptor, -1 without one; what the system call returned
	NetNS                 uint32 // inode number of the network namespace
	Size                  uint32 // bytes of data
	Kind                  uint16
	Family                uint16 // AF_INET or AF_INET6; 0 without a socket
	LocalPort, RemotePort uint16
	LocalIP, RemoteIP     [16]byte
	ThreadName            [16]byte
	ProcessName           [16]byte
	OldState, State       uint8
	_                     [6]byte
}

// HeadSize is the size of a Head in the ring buffer.
const HeadSize = 128

// A Record is one event: its head, and the bytes that were copied with it.
type Record struct {
	Head
	Data []byte
}

// Decode reads one sample of a ring buffer. The record's Data is a copy.
func Decode(sample []byte) (Record, error) {
	var r Record
	if len(sample) < HeadSize {
		return r, fmt.Errorf("decode event: %d bytes, and its head alone has %d", len(sample), HeadSize)
	}
	r.Head.decode(sample)
	rest := sample[HeadSize:]
	if uint64(r.Size) > uint64(len(rest)) {
		return r, fmt.Errorf("decode event: %d bytes of data announced, %d there", r.Size, len(rest))
	}
	r.Data = bytes.Clone(rest[:r.Size])
	return r, nil
}

// Kind is the kind of a sample's event, without decoding it; 0 of one that is damaged.
func Kind(sample []byte) uint16 {
	if len(sample) < HeadSize {
		return 0
	}
	return binary.NativeEndian.Uint16(sample[48:])
}

// decode reads the head member by member, which is many times faster than by reflection: a busy
// Envoy makes a hundred thousand events a second.
func (h *Head) decode(b []byte) {
	order := binary.NativeEndian
	h.Time, h.Socket, h.Value = order.Uint64(b), order.Uint64(b[8:]), order.Uint64(b[16:])
	h.TGID, h.TID = order.Uint32(b[24:]), order.Uint32(b[28:])
	h.FD, h.Result = int32(order.Uint32(b[32:])), int32(order.Uint32(b[36:]))
	h.NetNS, h.Size = order.Uint32(b[40:]), order.Uint32(b[44:])
	h.Kind, h.Family = order.Uint16(b[48:]), order.Uint16(b[50:])
	h.LocalPort, h.RemotePort = order.Uint16(b[52:]), order.Uint16(b[54:])
	h.LocalIP, h.RemoteIP = [16]byte(b[56:]), [16]byte(b[72:])
	h.ThreadName, h.ProcessName = [16]byte(b[88:]), [16]byte(b[104:])
	h.OldState, h.State = b[120], b[121]
}

// Address families of the kernel: include/linux/socket.h.
const (
	familyIPv4 = 2
	familyIPv6 = 10
)

// Local is the socket's own end; invalid without a socket.
func (h *Head) Local() netip.AddrPort { return h.end(h.LocalIP, h.LocalPort) }

// Remote is the socket's other end; invalid without a socket.
func (h *Head) Remote() netip.AddrPort { return h.end(h.RemoteIP, h.RemotePort) }

// end unmaps an IPv4 address that an IPv6 socket carries, so that both ends of a
// connection compare equal.
func (h *Head) end(ip [16]byte, port uint16) netip.AddrPort {
	switch h.Family {
	case familyIPv4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[:4])), port)
	case familyIPv6:
		return netip.AddrPortFrom(netip.AddrFrom16(ip).Unmap(), port)
	}
	return netip.AddrPort{}
}

// Thread is the name of the thread that did it.
func (h *Head) Thread() string { return text(h.ThreadName[:]) }

// Process is the name of the thread's process.
func (h *Head) Process() string { return text(h.ProcessName[:]) }

func text(name []byte) string {
	name, _, _ = bytes.Cut(name, []byte{0})
	return string(name)
}

// Sockaddr reads a struct sockaddr_in or sockaddr_in6, as system calls take and give them.
func Sockaddr(b []byte) (netip.AddrPort, bool) {
	if len(b) < 8 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch family := binary.NativeEndian.Uint16(b); {
	case family == familyIPv4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port), true
	case family == familyIPv6 && len(b) >= 24:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), port), true
	}
	return netip.AddrPort{}, false
}
