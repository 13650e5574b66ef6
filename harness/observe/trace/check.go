//go:build linux && amd64

package trace

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/flowproof/lab/internal/symbols"
)

// checkValue says what was read wrongly: each connection has to have exactly the values that it must.
func (p *prover) checkValue(name string, accepted map[netip.AddrPort]*socket, x *exchange) string {
	if !slices.ContainsFunc(p.proof.Values, func(v symbols.Value) bool { return v.Name == name }) {
		return p.proof.Off[name]
	}
	want := map[netip.AddrPort]string{}
	for i, r := range p.bench.routes {
		for _, client := range x.clients[i] {
			want[client] = map[string]string{symbols.ValueFilterChain: r.chain, symbols.ValueCluster: r.cluster}[name]
		}
	}
	if name == symbols.ValueSNI {
		want = x.hellos
	}
	for client, value := range want {
		s := accepted[client]
		if s == nil {
			return fmt.Sprintf("the connection of %s was not seen", client)
		}
		var got []string
		for _, e := range s.values {
			if e.Name == name {
				got = append(got, e.Text)
			}
		}
		if len(got) != 1 || got[0] != value {
			return fmt.Sprintf("read %q where %q was right", got, value)
		}
	}
	return ""
}

// checkJoin sets every join under load against what the upstream saw.
func (p *prover) checkJoin(j *journal, accepted map[netip.AddrPort]*socket, x *exchange) string {
	for client, marks := range x.marks {
		got := joinsOf(j, accepted[client])
		if len(got) != len(marks) {
			return fmt.Sprintf("of %d requests on one connection, %d were joined", len(marks), len(got))
		}
		for i, mark := range marks {
			if want := p.bench.arrival(mark).from; got[i].up.local != want {
				return fmt.Sprintf("a request was joined to %s, and the upstream saw it come from %s", got[i].up.local, want)
			}
		}
	}
	if j.clashes > 0 {
		return fmt.Sprintf("%d connections could not be told apart", j.clashes)
	}
	return ""
}

// joinsOf are the joins of a downstream connection, in their order.
func joinsOf(j *journal, down *socket) (all []join) {
	for _, join := range j.joins {
		if join.down == down && down != nil {
			all = append(all, join)
		}
	}
	return all
}

// checkIDs says whether a joined request was told with another id of its downstream connection than Envoy itself gives it.
func (p *prover) checkIDs(j *journal, accepted map[netip.AddrPort]*socket, x *exchange) string {
	for client, marks := range x.marks {
		for i, join := range joinsOf(j, accepted[client]) {
			if got, want := strconv.FormatUint(join.at.Ends.Connection, 10), p.bench.arrival(marks[i]).connection; got != want {
				return fmt.Sprintf("connection %s was told as %s", want, got)
			}
		}
	}
	return ""
}

// drop turns a value off, and says why.
func (p *prover) drop(name, wrong string) {
	p.proof.Values = slices.DeleteFunc(p.proof.Values, func(v symbols.Value) bool { return v.Name == name })
	p.proof.TurnOff(name, wrong)
}

// checkClusters says whether a request that was joined under load has another cluster than that of its connection's route.
func (p *prover) checkClusters(j *journal, accepted map[netip.AddrPort]*socket, x *exchange) string {
	for client := range x.marks {
		for _, join := range joinsOf(j, accepted[client]) {
			want := p.bench.routes[x.routes[client]].cluster
			if got := join.at.Ends.Cluster; got != want {
				return fmt.Sprintf("a request to %q was told with %q", want, got)
			}
		}
	}
	return ""
}

// checkStatement says whether a statement was seen on each connection once: every single request has a connection and every
// connection one request. Statements about the same thing that were taken for one another would be seen never or twice.
func checkStatement(format string, accepted map[netip.AddrPort]*socket, x *exchange) string {
	for _, client := range slices.Concat(x.clients[:]...) {
		s, n := accepted[client], 0
		if s == nil {
			return fmt.Sprintf("the connection of %s was not seen", client)
		}
		for _, e := range s.statements {
			if e.Text == format {
				n++
			}
		}
		if n != 1 {
			return fmt.Sprintf("it was seen %d times about one request", n)
		}
	}
	return ""
}
