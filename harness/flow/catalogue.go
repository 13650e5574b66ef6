package flow

import "slices"

// HopInfo is what holds for every hop of one kind. Hops lists them in their order on the way.
type HopInfo struct {
	Kind HopKind
	End  End
	// Arrivals are the facts that are seen at this kind of hop only when the request came
	// there. Facts that an instrument also tells of nothing, such as a status or the absence of
	// TLS, are not among them.
	Arrivals []string
	// Present are facts that are told of this kind of hop alone, also where no request came: seen
	// where the way through a proxy has no such hop they show that there is one.
	Present []string
	// DecidedBefore says that Envoy may have decided this hop before an HTTP filter that ends the
	// way answered: a filter may ask for the route, and the access log then names route and cluster
	// of a request that never got there.
	DecidedBefore bool
}

// An End is a part of a proxy. Facts such as transport exist once on the downstream and once on the
// upstream end, so an observation on one end says nothing about the other.
type End int

// The parts of a proxy that a hop can belong to.
const (
	DownstreamEnd End = iota + 1
	Routing
	UpstreamEnd
	AppEnd
)

// Hops is the catalogue of hops: what stands here is looked up wherever the order or a property of
// a hop is asked for.
var Hops = []HopInfo{
	{Kind: Resolve, End: DownstreamEnd, Present: []string{FactResolved}},
	{Kind: NodePort, End: DownstreamEnd},
	{Kind: Redirect, End: DownstreamEnd},
	{Kind: Listener, End: DownstreamEnd},
	{Kind: ListenerFilters, End: DownstreamEnd},
	{Kind: FilterChain, End: DownstreamEnd, Arrivals: []string{FactFilterChain}},
	{Kind: DownstreamTLS, End: DownstreamEnd},
	{Kind: NetworkFilters, End: DownstreamEnd, Arrivals: []string{FactNetworkFilter, FactStatPrefix}},
	{Kind: HTTPFilters, End: Routing, Arrivals: []string{FactHTTPFilter}},
	{Kind: Route, End: Routing, Arrivals: []string{FactRouteConfig, FactVirtualHost, FactRoute}, DecidedBefore: true},
	{Kind: Cluster, End: UpstreamEnd, Arrivals: []string{FactCluster}, DecidedBefore: true},
	{Kind: Endpoint, End: UpstreamEnd, Arrivals: []string{FactEndpoint}},
	{Kind: UpstreamTLS, End: UpstreamEnd},
	{Kind: Connect, End: UpstreamEnd, Arrivals: []string{FactUpstreamLocal, FactUpstreamRemote}},
	{Kind: App, End: AppEnd, Arrivals: []string{FactPeer},
		Present: []string{FactProcess, FactMethod, FactPath, FactAuthority, FactHeader}},
}

// Info returns the kind's row of Hops; of a kind that has none, a row without properties.
func (k HopKind) Info() HopInfo {
	if i := k.Order(); i >= 0 {
		return Hops[i]
	}
	return HopInfo{Kind: k}
}

// Order is the kind's place on the way, from 0; -1 for a kind that the catalogue does not have.
func (k HopKind) Order() int {
	return slices.IndexFunc(Hops, func(h HopInfo) bool { return h.Kind == k })
}

// HopKinds returns the names of all kinds of hops, in their order on the way.
func HopKinds() []string {
	names := make([]string, 0, len(Hops))
	for _, h := range Hops {
		names = append(names, string(h.Kind))
	}
	return names
}

// A Scope says of what a fact has one value.
type Scope int

// The scopes of facts.
const (
	OfProxy  Scope = iota // the same wherever in a proxy it is seen
	OfEnd                 // one value on each End
	OfHop                 // each kind of hop has its own
	OfWindow              // of all that happened while the instrument watched: it is not the request's alone
)

// A Number says how many values of a fact a hop can have.
type Number int

// The numbers of values.
const (
	One     Number = iota // two values that differ cannot both be right
	Listed                // any number, and the hop names all of them: a value that it does not name refutes it
	Several               // any number, and the hop need not name all of them
)

// FactInfo is what holds for a fact wherever it is seen.
type FactInfo struct {
	Name   string
	Scope  Scope
	Number Number
	// Chosen says that the value is one of the hop's Choices, where it has several.
	Chosen bool
	// Refutes says that an observation refutes its hop: what was expected does not matter.
	Refutes bool
}

// Facts is the catalogue of facts: what stands here is looked up wherever a property of
// a fact is asked for.
var Facts = []FactInfo{
	{Name: FactRedirectPort}, {Name: FactOriginalDst}, {Name: FactListener},
	{Name: FactFilter, Number: Listed},
	{Name: FactSNI, Scope: OfEnd}, {Name: FactALPN, Scope: OfEnd}, {Name: FactTransport, Scope: OfEnd},
	{Name: FactFilterChain},
	{Name: FactPeer, Scope: OfEnd},
	{Name: FactTranslated, Scope: OfEnd, Number: Several},
	{Name: FactXFCC}, {Name: FactCodec},
	{Name: FactHTTPFilter, Number: Listed}, {Name: FactHTTPFilters},
	{Name: FactRouteConfig}, {Name: FactVirtualHost}, {Name: FactRoute},
	{Name: FactCluster, Chosen: true}, {Name: FactEndpoint, Chosen: true},
	{Name: FactSocketMatch}, {Name: FactUpstreamLocal}, {Name: FactUpstreamRemote, Chosen: true},
	{Name: FactUpstreamReused},
	{Name: FactStatus}, {Name: FactUpstreamStatus}, {Name: FactFlags}, {Name: FactResolved},
	{Name: FactProcess, Scope: OfHop},
	{Name: FactConnections, Scope: OfWindow},
	{Name: FactNetworkFilter, Number: Listed},
	{Name: FactDetails}, {Name: FactListening},
	{Name: FactHandshakes, Scope: OfEnd},
	{Name: FactStatPrefix},
	{Name: FactTLSVersion, Scope: OfEnd}, {Name: FactPeerURI, Scope: OfEnd},
	{Name: FactConnection},
	{Name: FactMethod, Scope: OfHop}, {Name: FactPath, Scope: OfHop}, {Name: FactAuthority, Scope: OfHop},
	{Name: FactHeader, Scope: OfHop, Number: Listed},
	{Name: FactElapsed, Scope: OfHop, Number: Several}, {Name: FactBytes, Scope: OfHop, Number: Several},
	{Name: FactFailure, Scope: OfHop, Number: Several}, {Name: FactAttempts, Scope: OfHop, Number: Several},
	{Name: FactUpstreamError, Scope: OfHop, Number: Several},
	{Name: FactOthers, Scope: OfHop, Number: Several},
	{Name: FactAttempt, Scope: OfHop, Number: Several}, {Name: FactAttemptEndpoint, Scope: OfHop, Number: Several},
	{Name: FactAttemptStatus, Scope: OfHop, Number: Several}, {Name: FactAttemptFailure, Scope: OfHop, Number: Several},
	{Name: FactAttemptAfter, Scope: OfHop, Number: Several}, {Name: FactAttemptConnects, Scope: OfHop, Number: Several},
	{Name: FactArrival, Scope: OfHop, Number: Several}, {Name: FactNextCall, Scope: OfHop, Number: Several},
	{Name: FactNextEndpoint, Scope: OfHop, Number: Several}, {Name: FactNextStatus, Scope: OfHop, Number: Several},
	{Name: FactNextPeer, Scope: OfHop, Number: Several}, {Name: FactNextAttempts, Scope: OfHop, Number: Several},
	{Name: FactOrder, Scope: OfHop, Number: Several, Refutes: true},
}

// FactOf returns a fact's row of Facts; of a fact that has none, a row without properties.
func FactOf(name string) FactInfo {
	if i := slices.IndexFunc(Facts, func(f FactInfo) bool { return f.Name == name }); i >= 0 {
		return Facts[i]
	}
	return FactInfo{Name: name}
}

// SameMeaning reports whether a fact that is seen at a hop of kind b is the fact
// that a hop of kind a has.
func (f FactInfo) SameMeaning(a, b HopKind) bool {
	switch {
	case a == b:
		return true
	case f.Scope == OfHop, f.Scope == OfWindow:
		return false
	case f.Scope == OfEnd:
		return a.Info().End == b.Info().End
	}
	return true
}

// Snapshot reports whether the instrument looks at a moment: what it does not see may have been and
// gone, so it proves no absence.
func (i Instrument) Snapshot() bool { return i == Sockets || i == Curl }
