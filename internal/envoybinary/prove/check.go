//go:build linux && amd64

package prove

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/internal/envoybinary"
)

// checkValue says what was read wrongly: each connection has to have exactly the
// values that it must.
func (p *prover) checkValue(name string, seen *Seen, x *exchange) string {
	if !slices.ContainsFunc(p.proof.Values, func(v envoybinary.Value) bool { return v.Name == name }) {
		return p.proof.Off[name]
	}
	want := map[netip.AddrPort]string{}
	for i, r := range p.bed.Routes {
		for _, client := range x.clients[i] {
			want[client] = map[string]string{envoy.ProbeFilterChain: r.Chain, envoy.ProbeCluster: r.Cluster}[name]
		}
	}
	if name == envoy.ProbeSNI {
		want = x.hellos
	}
	for client, value := range want {
		s, ok := seen.Connections[client]
		if !ok {
			return fmt.Sprintf("the connection of %s was not seen", client)
		}
		var got []string
		for _, e := range s.Values {
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
func (p *prover) checkJoin(seen *Seen, x *exchange) string {
	for client, marks := range x.marks {
		got := seen.Connections[client].Requests
		if len(got) != len(marks) {
			return fmt.Sprintf("of %d requests on one connection, %d were joined", len(marks), len(got))
		}
		for i, mark := range marks {
			if want := p.bed.Arrival(mark).From; got[i].Local != want {
				return fmt.Sprintf("a request was joined to %s, and the upstream saw it come from %s",
					got[i].Local, want)
			}
		}
	}
	if seen.Clashes > 0 {
		return fmt.Sprintf("%d connections could not be told apart", seen.Clashes)
	}
	return ""
}

// checkIDs says whether a joined request was told with another id of its downstream connection than
// Envoy itself gives it.
func (p *prover) checkIDs(seen *Seen, x *exchange) string {
	for client, marks := range x.marks {
		for i, join := range seen.Connections[client].Requests {
			if got, want := strconv.FormatUint(join.Connection, 10), p.bed.Arrival(marks[i]).Connection; got != want {
				return fmt.Sprintf("connection %s was told as %s", want, got)
			}
		}
	}
	return ""
}

// drop turns a value off, and says why.
func (p *prover) drop(name, wrong string) {
	p.proof.Values = slices.DeleteFunc(p.proof.Values, func(v envoybinary.Value) bool { return v.Name == name })
	p.proof.TurnOff(name, wrong)
}

// checkClusters says whether a request that was joined under load has another cluster than that of
// its connection's route.
func (p *prover) checkClusters(seen *Seen, x *exchange) string {
	for client := range x.marks {
		for _, join := range seen.Connections[client].Requests {
			want := p.bed.Routes[x.routes[client]].Cluster
			if got := join.Cluster; got != want {
				return fmt.Sprintf("a request to %q was told with %q", want, got)
			}
		}
	}
	return ""
}

// checkStatement says whether a statement was seen on each connection once: every single request
// has a connection and every connection one request. Statements about the same thing that were
// taken for one another would be seen never or twice.
func checkStatement(format string, seen *Seen, x *exchange) string {
	for _, client := range slices.Concat(x.clients[:]...) {
		s, ok := seen.Connections[client]
		if !ok {
			return fmt.Sprintf("the connection of %s was not seen", client)
		}
		n := 0
		for _, reached := range s.Statements {
			if reached == format {
				n++
			}
		}
		if n != 1 {
			return fmt.Sprintf("it was seen %d times about one request", n)
		}
	}
	return ""
}
