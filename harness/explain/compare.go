package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/flow"
)

// A claim is one thing that line and inference both tell.
type claim struct {
	hop      flow.HopKind
	logged   string
	inferred []string // one of these is expected
}

// compare holds the line against the inferred way. What is open in the inference is not held
// against it.
func (e *explanation) compare(line logformat.Line, d flow.Decision) {
	for _, c := range claims(line, d) {
		if c.logged == "" || len(c.inferred) == 0 {
			continue
		}
		agrees := slices.Contains(c.inferred, c.logged)
		e.seen = append(e.seen, seen{c.hop, c.logged, agrees})
		if !agrees {
			inferred := strings.Join(c.inferred, " or ")
			e.Differ = append(e.Differ, flow.Difference{Hop: c.hop, Logged: c.logged, Inferred: inferred})
		}
	}
	e.compareEnds(line, d)
}

// A seen is what the line says of a hop.
type seen struct {
	hop    flow.HopKind
	logged string
	agrees bool
}

// logged returns what the line says of a hop.
func (e *explanation) logged(kind flow.HopKind) (text string, agrees bool) {
	for _, s := range e.seen {
		if s.hop == kind && (text == "" || !s.agrees) {
			text, agrees = s.logged, s.agrees
		}
	}
	return text, agrees
}

// claims are what both tell: names of what was taken.
func claims(line logformat.Line, d flow.Decision) []claim {
	one := func(values ...string) []string {
		return slices.DeleteFunc(values, func(v string) bool { return v == "" })
	}
	clusters, routes, hosts := one(d.Cluster), one(d.Route), []string(nil)
	chains, listeners := one(d.FilterChain), one(d.Listener)
	virtual := one(d.VirtualHost)
	for _, c := range d.Clusters {
		clusters = append(clusters, c.Name)
	}
	for _, h := range d.Endpoints {
		hosts = append(hosts, h.Address)
	}
	for _, p := range d.Possible {
		clusters, routes = append(clusters, one(p.Cluster)...), append(routes, one(p.Route)...)
		chains, listeners = append(chains, one(p.FilterChain)...), append(listeners, one(p.Listener)...)
		virtual, hosts = append(virtual, one(p.VirtualHost)...), append(hosts, p.Endpoints...)
	}
	if d.Others { // there are outcomes that cannot be named, so nothing that was logged speaks against them
		clusters, routes, hosts, chains, listeners, virtual = nil, nil, nil, nil, nil, nil
	}
	if strings.Contains(strings.Join(clusters, " "), "PassthroughCluster") {
		hosts = nil // it goes wherever was dialled
	}
	if slices.ContainsFunc(routes, func(r string) bool { return strings.HasPrefix(r, "[") }) {
		routes = nil // an index: the route has no name
	}
	return []claim{
		{flow.Listener, line.Sure(logformat.Listener), listeners},
		{flow.FilterChain, line.Sure(logformat.Chain), chains},
		{flow.Route, line.Sure(logformat.VirtualHost), virtual},
		{flow.Route, line.Sure(logformat.Route), routes},
		{flow.Cluster, line.Sure(logformat.Cluster), clusters},
		{flow.Endpoint, line.Sure(logformat.Host), hosts},
	}
}

// compareEnds holds how the request ended against how it must end.
func (e *explanation) compareEnds(line logformat.Line, d flow.Decision) {
	inferred := string(d.Outcome)
	if d.Failure != "" {
		inferred += ": " + strings.ReplaceAll(string(d.Failure), "_", " ")
	}
	if d.Status != 0 {
		inferred += fmt.Sprintf(", status %d", d.Status)
	}
	logged := strings.TrimSpace(line.Value(logformat.Code) + " " + strings.Join(e.Flags, ",") + " " + e.Details)
	open := untold(line, e.Ended.Hop, e.Details) || d.Certainty != flow.Certain || e.Ended.Client || e.Ended.Hop == ""
	differs := func(inferred string) {
		e.Differ = append(e.Differ, flow.Difference{Hop: e.Ended.Hop, Logged: logged, Inferred: inferred})
	}
	passed := e.Ended.Beyond || e.Ended.Hop == flow.Connect || e.Ended.Hop == flow.UpstreamTLS
	switch {
	case open, e.Direction == flow.Gateway && d.Failure == flow.NoListener:
	case d.Outcome == flow.Forwarded && !passed && len(e.Differ) == 0 && !transient(e.Flags):
		differs(inferred + ", " + cmp.Or(d.Cluster, "to a cluster"))
	case d.Outcome == flow.Forwarded:
	case passed, endOf(d) != e.Ended.Hop && !transient(e.Flags),
		d.Status != 0 && e.Status != 0 && d.Status != e.Status:
		differs(inferred)
	}
}

// untold says whether the request ended by what a line does not tell: bytes that codec and
// connection manager refuse, headers that they look at, a body's size, a time.
func untold(line logformat.Line, ended flow.HopKind, details string) bool {
	return ended == flow.NetworkFilters && line.HTTP() || strings.HasSuffix(details, "payload_too_large")
}

// endOf is the hop at which an inferred way ends.
func endOf(d flow.Decision) flow.HopKind {
	if len(d.Hops) == 0 {
		return ""
	}
	return d.Hops[len(d.Hops)-1].Kind
}

// transients are the flags of what no configuration tells: load, limits, a filter's chance, the
// codec.
var transients = []string{
	"UO", "RL", "RLSE", "OM", "DO", "UDO", "DF", "FI", "SI", "DT", "DPE", "UAEX", "LH", "LR", "IH", "NFCF",
}

// transient says whether the request ended by one of them.
func transient(flags []string) bool {
	return slices.ContainsFunc(flags, func(f string) bool { return slices.Contains(transients, f) })
}
