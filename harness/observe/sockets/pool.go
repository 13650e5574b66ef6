package sockets

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// oneOfPool tells of several connections, none of which has ended, what they have in common: it
// holds for the one that was used, whichever that is. reused is empty where one of them is new.
func (o *observer) oneOfPool(side flow.Side, pool []Row, reused string) {
	row := pool[0]
	lines := make([]string, 0, len(pool))
	for _, r := range pool {
		lines = append(lines, r.Raw)
	}
	row.Raw = strings.Join(lines, "\n")
	o.see(side, row, flow.Connect, flow.FactUpstreamRemote, row.Peer.String(), flow.FactUpstreamReused, reused,
		flow.FactProcess, o.common(pool))
	o.see(side, row, flow.Endpoint, flow.FactEndpoint, row.Peer.String())
}

// common is the process that owns all of some rows; "" where they have different ones.
func (o *observer) common(rows []Row) string {
	first := o.process(rows[0])
	if slices.ContainsFunc(rows, func(r Row) bool { return o.process(r) != first }) {
		return ""
	}
	return first
}

// withoutOwnEnd takes away that an instrument sees which connection of a pool was used.
func withoutOwnEnd(sees []flow.Capability) []flow.Capability {
	return slices.DeleteFunc(sees, func(c flow.Capability) bool {
		return c.Fact == flow.FactUpstreamLocal || c.Fact == flow.FactPeer
	})
}

// acceptedPool tells of the other ends of a pool what they have in common.
func (o *observer) acceptedPool(rows []Row) (problem, abstains string) {
	ends := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return !slices.ContainsFunc(o.pool, func(p Row) bool { return p.Local == r.Peer })
	})
	if o.endedMeanwhile(ends) {
		return "", fmt.Sprintf("of %d pooled connections of the client's sidecar, some ended while the tables were "+
			"read", len(o.pool))
	}
	if len(ends) != len(o.pool) {
		return fmt.Sprintf("of %d pooled connections of the client's sidecar, %d have their other end in the "+
			"server's table", len(o.pool), len(ends)), ""
	}
	first := ends[0]
	if slices.ContainsFunc(ends, func(r Row) bool {
		return r.Local.Port() != first.Local.Port() || o.process(r) != o.process(first)
	}) {
		return "", ambiguous("connections from the client's pod, which differ", ends)
	}
	o.see(flow.Server, first, flow.Redirect, flow.FactRedirectPort, strconv.Itoa(int(first.Local.Port())),
		flow.FactProcess, o.process(first))
	return "", ""
}

// endedMeanwhile says whether every connection of the pool that has no other end among ends is gone
// from the client's table too, as it was read once more.
func (o *observer) endedMeanwhile(ends []Row) bool {
	if o.ClientAgain == nil || len(ends) == len(o.pool) {
		return false
	}
	still := established(o.ClientAgain, func(Row) bool { return true })
	for _, p := range o.pool {
		whole := slices.ContainsFunc(ends, func(r Row) bool { return r.Peer == p.Local })
		if !whole && slices.ContainsFunc(still, func(r Row) bool { return r.Local == p.Local && r.Peer == p.Peer }) {
			return false
		}
	}
	return true
}

// toApp finds the sidecar's connection to the app and the app's accepted socket. pooled says that
// it is one of several, and only what they have in common is told. Where one has ended, it
// abstains: that may have been the request's.
func (o *observer) toApp() (abstains string, pooled bool) {
	app := netip.AddrPortFrom(o.sel.Server.IP, o.sel.Port)
	type pair struct{ proxy, app Row }
	var pairs []pair
	for _, r := range established(o.ServerAfter, func(r Row) bool {
		return o.proxy(r) && r.Peer.Port() == app.Port() && r.Peer.Addr() == app.Addr()
	}) {
		for _, other := range established(o.ServerAfter, func(other Row) bool {
			return other.Local == r.Peer && other.Peer == r.Local
		}) {
			pairs = append(pairs, pair{r, other})
		}
	}
	ended := o.closed(o.ServerBefore, o.ServerAfter, app)
	switch {
	case len(pairs) == 0:
		return "", false
	case len(pairs) == 1 && !ended:
		p := pairs[0]
		o.see(flow.Server, p.proxy, flow.Connect, flow.FactUpstreamLocal, p.proxy.Local.String(),
			flow.FactUpstreamRemote, p.proxy.Peer.String(), flow.FactProcess, o.process(p.proxy))
		o.see(flow.Server, p.proxy, flow.Endpoint, flow.FactEndpoint, p.proxy.Peer.String())
		o.see(flow.Server, p.app, flow.App, flow.FactPeer, p.app.Peer.String(), flow.FactProcess, o.process(p.app))
		return "", false
	}
	var rows, apps []Row
	for _, p := range pairs {
		rows, apps = append(rows, p.proxy), append(apps, p.app)
	}
	if len(pairs) == 1 || o.ServerBefore == nil || ended {
		return ambiguous("connections of the server's sidecar to the app", rows), false
	}
	reused := "true"
	if len(without(rows, o.ServerBefore)) > 0 {
		reused = "" // the request may have made one, and so may another
	}
	o.oneOfPool(flow.Server, rows, reused)
	o.see(flow.Server, apps[0], flow.App, flow.FactProcess, o.common(apps))
	return "", true
}
