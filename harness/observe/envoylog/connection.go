package envoylog

import (
	"fmt"

	"github.com/flowproof/lab/harness/flow"
)

// filterChainNotFound is Envoy's own name for what becomes of a socket that no filter chain matches
// (StreamInfo::ResponseCodeDetails::FilterChainNotFound).
const filterChainNotFound = "filter_chain_not_found"

// connections returns what the log shows of the client's connection where no request can be found
// on it: a TCP stream, or one that no filter chain matched.
func (j *journal) connections(sel Selection) []*phase {
	peer := sel.Peer
	if peer == "" {
		return nil
	}
	found := append([]*phase(nil), j.refused[peer]...)
	for _, s := range j.steps {
		if s.event != NewConnection || s.rest != peer {
			continue
		}
		for _, p := range j.phases[s.Connection] {
			if p.accepted.index == s.index {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		return j.closedAtOnce(sel)
	}
	return found
}

// closedAtOnce returns the connections of the selection's time that a network filter closed while
// they were made, as tcp_proxy does when its cluster has no host. Envoy prints no `new connection
// from` about those, so it is unknown whose they are: only when there is one can it be the
// client's.
func (j *journal) closedAtOnce(sel Selection) []*phase {
	if sel.Since.IsZero() || sel.Until.IsZero() {
		return nil
	}
	var found []*phase
	for _, s := range j.steps {
		if s.event != TCPProxySession || len(j.phases[s.Connection]) > 0 || s.Time.Before(sel.Since) ||
			s.Time.After(sel.Until) {
			continue
		}
		p := &phase{accepted: s}
		for i := s.index - 1; i >= 0; i-- {
			if before := j.steps[i]; before.Thread == s.Thread {
				if !inPhase(before.event) {
					break
				}
				p.steps = append([]step{before}, p.steps...)
			}
		}
		found = append(found, p)
	}
	return found
}

// connection tells what became of a connection below HTTP.
func (o *observer) connection(p *phase) {
	o.listenerFilters(p)
	if p.accepted.event != TCPProxySession {
		o.see(p.accepted, flow.Listener, flow.FactPeer, p.accepted.rest)
	}
	if p.accepted.event == NoFilterChain {
		o.see(p.accepted, flow.FilterChain, flow.FactDetails, filterChainNotFound)
		return
	}
	for _, s := range o.journal.steps {
		if s.Connection != p.accepted.Connection {
			continue
		}
		switch s.event {
		case TCPProxySession:
			o.see(s, flow.NetworkFilters, flow.FactNetworkFilter, tcpProxy)
		case NewStream:
			o.see(s, flow.NetworkFilters, flow.FactNetworkFilter, httpManager)
		case TCPProxyCluster:
			o.see(s, flow.Cluster, flow.FactCluster, s.rest)
			o.dialled(s)
		}
	}
}

// dialled tells where tcp_proxy dialled after it chose the cluster at s: it does so
// in the same call.
func (o *observer) dialled(s step) {
	for _, next := range o.journal.steps[s.index+1:] {
		if next.Thread != s.Thread {
			continue
		}
		switch next.event {
		case SocketMatch:
			name, _ := socketMatch(next.rest)
			o.see(next, flow.UpstreamTLS, flow.FactSocketMatch, name)
		case ConnectingTo:
			o.see(next, flow.Endpoint, flow.FactEndpoint, next.rest)
			o.see(next, flow.Connect, flow.FactUpstreamRemote, next.rest)
			return
		case TCPProxyCluster, RequestHeaders:
			return // another connection's
		}
	}
}

// watchConnection says what the log could show of a connection, and whether it is whole there.
func (j *journal) watchConnection(found []*phase) (sees []flow.Capability, problems []string) {
	sees = []flow.Capability{
		{Kind: flow.Listener, Fact: flow.FactConnections},
		{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: originalDst},
		{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: tlsInspector},
		{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: httpInspector},
		{Kind: flow.ListenerFilters, Fact: flow.FactSNI}, {Kind: flow.ListenerFilters, Fact: flow.FactTransport},
		{Kind: flow.FilterChain, Fact: flow.FactDetails, Value: filterChainNotFound},
		{Kind: flow.NetworkFilters, Fact: flow.FactNetworkFilter, Value: tcpProxy},
		{Kind: flow.NetworkFilters, Fact: flow.FactNetworkFilter, Value: httpManager},
		{Kind: flow.Cluster, Fact: flow.FactCluster}, {Kind: flow.Connect, Fact: flow.FactUpstreamRemote},
	}
	if found[0].accepted.event != TCPProxySession {
		sees = append(sees, flow.Capability{Kind: flow.Listener, Fact: flow.FactPeer})
	}
	if len(found) > 1 {
		problems = append(problems,
			fmt.Sprintf("%d connections may be the client's, so none can be said to be it", len(found)))
	}
	if s, ok := found[0].find(OriginalDstSet); ok && s.rest != "" {
		sees = append(sees, flow.Capability{Kind: flow.Redirect, Fact: flow.FactOriginalDst})
	}
	if found[0].unsure != "" {
		problems = append(problems, found[0].unsure)
	}
	return sees, append(problems, unknownProblems(j.steps[found[0].accepted.index:])...)
}
