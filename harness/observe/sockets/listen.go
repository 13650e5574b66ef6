package sockets

import (
	"cmp"
	"net/netip"
	"slices"
)

// A Listen is an address that a process listens on. One row with several descriptors is one
// socket that was duplicated for each worker; several rows are sockets of their own that share
// the port by SO_REUSEPORT.
type Listen struct {
	Address netip.AddrPort
	Process string
	Rows    int // sockets
	FDs     int // descriptors of all of them
}

// Listening counts sockets and descriptors by address, in the order of ports.
func Listening(rows []Row) []Listen {
	type key struct {
		address netip.AddrPort
		process string
	}
	counts := map[key]*Listen{}
	for _, r := range rows {
		if r.State != "LISTEN" {
			continue
		}
		k := key{r.Local, r.Process()}
		if counts[k] == nil {
			counts[k] = &Listen{Address: k.address, Process: k.process}
		}
		counts[k].Rows++
		counts[k].FDs += len(r.Owners)
	}
	var all []Listen
	for _, l := range counts {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Listen) int {
		return cmp.Or(cmp.Compare(a.Address.Port(), b.Address.Port()), a.Address.Addr().Compare(b.Address.Addr()),
			cmp.Compare(a.Process, b.Process))
	})
	return all
}
