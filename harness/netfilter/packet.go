package netfilter

import (
	"net/netip"
	"slices"
)

// packet is what a rule's tests look at: the first one of a TCP connection.
type packet struct {
	src, dst netip.AddrPort
	out, in  string // interfaces
	local    bool   // the destination is an address of the pod
	proto    string // tcp or udp
	uid, gid int
	mark     uint32 // that a rule has given it
}

// first is the packet where the pod sees it first.
func first(p Packet) packet {
	own := p.Destination.Addr().IsLoopback() || slices.Contains(p.Own, p.Destination.Addr())
	q := packet{src: p.Source, dst: p.Destination, uid: p.Sender.uid(), gid: p.Sender.gid(), local: own, proto: "tcp"}
	if p.UDP {
		q.proto = "udp"
	}
	if p.Inbound {
		q.in = "eth0"
		return q
	}
	q.out = "eth0"
	if own {
		q.out = "lo"
	}
	if !q.src.IsValid() {
		for _, a := range p.Own {
			if a.BitLen() == p.Destination.Addr().BitLen() {
				q.src = netip.AddrPortFrom(a, 0)
				break
			}
		}
	}
	return q
}
