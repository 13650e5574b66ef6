package envoylog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// A Violation is a rule on the order of the log's lines that the log breaks, with the
// lines that break it.
type Violation struct {
	Rule     string       // R6.1 to R6.5, as the workshop numbers them
	Sentence string       // what the rule says and how it is broken
	Kind     flow.HopKind // the hop that the rule speaks about
	Lines    []Line
}

// text returns the violation's lines as they may be kept.
func (v Violation) text() string {
	lines := make([]string, 0, len(v.Lines))
	for _, l := range v.Lines {
		lines = append(lines, raw(l))
	}
	return strings.Join(lines, "\n")
}

// Variant says which lines to expect besides those that every exchange has.
type Variant struct {
	Workers int // worker threads; 0: the number of membership updates is not checked
	// Cold demands the whole workshop: a connection that is accepted and one that is dialled, and
	// none of the lines that must be absent then (R6.4).
	Cold bool
	// Warm demands that both connections were there before (R6.5).
	Warm bool
	// AccessLog says that the sidecar writes an access log; otherwise its lines must be
	// absent (R6.4, with Cold).
	AccessLog bool
}

// CheckOrder checks the rules of order on the selected request's lines. A log without the request
// breaks no rule: Observe's Watch says that it is not there.
func CheckOrder(lines []Line, sel Selection, variant Variant) []Violation {
	var all []Violation
	for _, x := range newJournal(lines).find(sel).own {
		all = append(all, x.check(variant)...)
	}
	return all
}

// check applies all rules to one exchange.
func (x *exchange) check(variant Variant) []Violation {
	var all []Violation
	for _, rule := range []func(Variant) []Violation{x.ids, x.programOrder, x.membership, x.pool, x.absent, x.warm} {
		all = append(all, rule(variant)...)
	}
	return all
}

// ids is R6.1: the stream belongs to one downstream connection, and a connection that was
// dialled for it is younger.
func (x *exchange) ids(Variant) []Violation {
	var all []Violation
	for _, s := range x.own {
		if s.Connection != x.downstream {
			all = append(all, Violation{"R6.1",
				fmt.Sprintf("stream %s belongs to connection %s, but line %d prints it with connection %s",
					x.stream, x.downstream, s.Number, s.Connection), flow.NetworkFilters,
				[]Line{*x.headers.Line, *s.Line}})
			break
		}
	}
	if x.upstream == "" || x.reused || x.phase == nil {
		return all
	}
	down, err1 := strconv.ParseUint(x.downstream, 10, 64)
	up, err2 := strconv.ParseUint(x.upstream, 10, 64)
	dialled, ok := x.ofUpstream(ConnectingTo)
	if err1 == nil && err2 == nil && ok && up <= down {
		all = append(all, Violation{"R6.1",
			fmt.Sprintf("connection %s was dialled after %s was accepted, so its id must be greater", x.upstream,
				x.downstream),
			flow.Connect, []Line{*x.phase.accepted.Line, *dialled.Line}})
	}
	return all
}

// ordered is R6.2, the order of the statements on the worker thread; each entry may be missing.
var ordered = []struct {
	event Event
	kind  flow.HopKind
}{
	{OriginalDstAccepted, flow.ListenerFilters}, {OriginalDstSet, flow.ListenerFilters},
	{TLSInspectorAccepted, flow.ListenerFilters}, {TLSServerName, flow.ListenerFilters},
	{TLSInspectorNotTLS, flow.ListenerFilters},
	{HTTPInspectorSet, flow.ListenerFilters}, {NewConnection, flow.FilterChain},
	{NewStream, flow.NetworkFilters}, {RequestHeaders, flow.NetworkFilters}, {ClusterMatch, flow.Route},
	{SocketMatch, flow.UpstreamTLS}, {CreatedHost, flow.Endpoint}, {RouterHeaders, flow.HTTPFilters},
	{QueueingStream, flow.Connect}, {TryingConnection, flow.Connect}, {CreatingConnection, flow.Connect},
	{ClientConnecting, flow.Connect}, {ConnectingTo, flow.Connect}, {ConnectInProgress, flow.Connect},
	{Connected, flow.Connect}, {ClientConnected, flow.Connect}, {AttachingStream, flow.Connect},
	{UsingExisting, flow.Connect}, {CreatingStream, flow.Connect}, {PoolReady, flow.Connect},
	{UpstreamHeaders, flow.App}, {ResponseHeaders, flow.App}, {PoolResponseComplete, flow.App},
	{DestroyingStream, flow.App},
}

// programOrder is R6.2. Statements about connection and stream are found by their ids; those
// without are looked for on the stream's thread between its routing and its connection.
func (x *exchange) programOrder(Variant) []Violation {
	var previous *step
	for _, entry := range ordered {
		s, ok := x.locate(entry.event)
		if !ok {
			continue
		}
		if previous != nil && s.index < previous.index {
			return []Violation{{"R6.2", fmt.Sprintf("%q must come after %q, but line %d stands before line %d",
				nameOf(entry.event), nameOf(previous.event), s.Number, previous.Number), entry.kind,
				[]Line{*s.Line, *previous.Line}}}
		}
		previous = &s
	}
	return nil
}

// locate finds the line of an event that belongs to the exchange.
func (x *exchange) locate(event Event) (step, bool) {
	switch event {
	case NewConnection:
		if x.phase == nil {
			return step{}, false
		}
		return x.phase.accepted, true
	case NewStream:
		s, ok := x.before(x.headers.index, NewStream)
		return s, ok && s.Connection == x.downstream
	case SocketMatch, CreatedHost:
		return x.between(event, ClusterMatch, RouterHeaders)
	case QueueingStream, TryingConnection, CreatingConnection:
		if x.reused {
			return step{}, false
		}
		return x.between(event, ClusterMatch, PoolReady)
	case ClientConnecting, ConnectingTo, ConnectInProgress, Connected, ClientConnected:
		if x.reused {
			return step{}, false
		}
		return x.ofUpstream(event)
	case AttachingStream, UsingExisting, CreatingStream:
		ready, ok := x.first(PoolReady)
		if !ok {
			return step{}, false
		}
		s, ok := x.before(ready.index, event)
		router, routed := x.first(RouterHeaders)
		return s, ok && s.Connection == x.upstream && (!routed || s.index > router.index)
	case PoolResponseComplete, DestroyingStream:
		if response, ok := x.first(ResponseHeaders); ok && x.upstream != "" {
			for _, s := range x.journal.steps[response.index:] {
				if s.event == event && s.Connection == x.upstream {
					return s, true
				}
			}
		}
		return step{}, false
	}
	if x.phase != nil && x.phase.unsure == "" && inPhase(event) {
		return x.phase.find(event)
	}
	return x.first(event)
}

// between finds a line without ids on the stream's thread between two of the stream's own lines.
func (x *exchange) between(event, begin, end Event) (step, bool) {
	from, ok := x.first(begin)
	to, ended := x.first(end)
	if !ok || !ended || to.index < from.index {
		return step{}, false
	}
	for _, s := range x.journal.steps[from.index:to.index] {
		if s.event == event && s.Thread == x.thread {
			return s, true
		}
	}
	return step{}, false
}

// membership is R6.3: a host that is created is added by the main thread, and each thread's copy of
// the cluster is updated after that, once for each worker and once for the main thread.
func (x *exchange) membership(variant Variant) []Violation {
	created, ok := x.locate(CreatedHost)
	if !ok {
		return nil
	}
	match, _ := x.first(ClusterMatch)
	cluster, _, _ := clusterMatch(match.rest)
	var added *step
	var updates []Line
	for _, s := range x.journal.steps {
		switch {
		case s.event == AddHost && hostAddress(s.rest) == hostAddress(created.rest):
			if s.index < created.index {
				return []Violation{{"R6.3", "a host is added only after it was created", flow.Endpoint,
					[]Line{*s.Line, *created.Line}}}
			}
			added = &s
		case s.event == MembershipUpdate && s.index > created.index && adds(s.rest, cluster):
			if added == nil {
				return []Violation{{"R6.3", "a thread's copy of the cluster is updated only after the host was added",
					flow.Endpoint, []Line{*s.Line}}}
			}
			updates = append(updates, *s.Line)
		}
	}
	if want := variant.Workers + 1; variant.Workers > 0 && added != nil && len(updates) != want {
		return []Violation{{"R6.3", fmt.Sprintf("with %d workers the cluster is updated %d times, but the log shows %d",
			variant.Workers, want, len(updates)),
			flow.Endpoint, updates}}
	}
	return nil
}

// adds reads "<cluster> added 1 removed 0" and "<cluster> across 1 priorities": whether it may be
// the update for a new host of the cluster.
func adds(rest, cluster string) bool {
	after, ok := strings.CutPrefix(rest, cluster+" ")
	return ok && (strings.HasPrefix(after, "added 1 ") || strings.HasPrefix(after, "across "))
}

// pool is R6.5's core: a connection is either taken from the pool or dialled for the
// stream, never both.
func (x *exchange) pool(Variant) []Violation {
	if !x.reused {
		return nil
	}
	using, ok := x.locate(UsingExisting)
	router, routed := x.first(RouterHeaders)
	dialled, dialledOK := x.ofUpstream(ConnectingTo)
	if ok && routed && dialledOK && dialled.index > router.index {
		return []Violation{{"R6.5", "a connection that is taken from the pool is not dialled for the stream",
			flow.Connect, []Line{*using.Line, *dialled.Line}}}
	}
	return nil
}

// others is what a cold request of the workshop cannot show unless others sent a request after the
// pools were looked at: that the pools are cold is then no more, and nothing is broken.
func (x *exchange) others(variant Variant) []Violation {
	if !variant.Cold {
		return nil
	}
	var all []Violation
	add := func(kind flow.HopKind, sentence string, line Line) {
		all = append(all, Violation{Rule: "R6.4", Sentence: sentence, Kind: kind, Lines: []Line{line}})
	}
	if x.phase == nil {
		add(flow.Listener, "the request came on a connection that was accepted before", *x.headers.Line)
	}
	if s, ok := x.locate(UsingExisting); ok {
		add(flow.Connect, "the request found a connection in the pool", *s.Line)
	}
	end := len(x.journal.steps)
	if last, ok := x.last(); ok {
		end = last.index
	}
	for _, s := range x.journal.steps[:end] {
		if s.event == NewConnection && x.phase != nil && s.index > x.phase.accepted.index &&
			sameHost(s.rest, x.phase.accepted.rest) {
			add(flow.Listener, "a second connection was accepted", *s.Line)
		}
	}
	return all
}

// absent is R6.4: what a cold request of the workshop must not show, also where
// other requests are sent.
func (x *exchange) absent(variant Variant) []Violation {
	if !variant.Cold {
		return nil
	}
	var all []Violation
	add := func(kind flow.HopKind, sentence string, lines ...Line) {
		all = append(all, Violation{"R6.4", sentence, kind, lines})
	}
	if s, ok := x.phase.find(HTTPInspectorAccepted); ok {
		add(flow.ListenerFilters, "http_inspector must not run for a declared port", *s.Line)
	} else if s, ok := x.phase.find(HTTPInspectorSet); ok {
		add(flow.ListenerFilters, "http_inspector must not run for a declared port", *s.Line)
	}
	if s, ok := x.ofUpstream(ConnectingTo); ok && strings.HasPrefix(s.rest, "127.0.0.1:") {
		add(flow.Connect, "the app is dialled at the pod's address, not at 127.0.0.1", *s.Line)
	}
	end := len(x.journal.steps)
	if last, ok := x.last(); ok {
		end = last.index
	}
	for _, s := range x.journal.steps[:end] {
		if s.Kind == AccessLog && !variant.AccessLog && s.index > x.headers.index {
			add(flow.HTTPFilters, "no access log is configured, so none may be written", *s.Line)
		}
	}
	return all
}

// sameHost reports whether two connections come from one address: a probe of the sidecar's own
// health comes from another.
func sameHost(a, b string) bool {
	i, j := strings.LastIndexByte(a, ':'), strings.LastIndexByte(b, ':')
	return i >= 0 && j >= 0 && a[:i] == b[:j]
}

// warm is R6.5: a request within the lifetime of both connections shows neither their
// beginning nor a new host.
func (x *exchange) warm(variant Variant) []Violation {
	if !variant.Warm {
		return nil
	}
	var all []Violation
	add := func(kind flow.HopKind, sentence string, line Line) {
		all = append(all, Violation{"R6.5", sentence, kind, []Line{line}})
	}
	if stream, ok := x.locate(NewStream); ok && x.phase != nil {
		if first, ok := x.firstStream(); ok && first.index == stream.index {
			add(flow.Listener, "the client reuses its connection, so none is accepted", *x.phase.accepted.Line)
		}
	}
	if s, ok := x.locate(CreatedHost); ok {
		add(flow.Endpoint, "the host is known, so none is created", *s.Line)
	}
	if _, ok := x.locate(UsingExisting); !ok {
		add(flow.Connect, "the pool has a connection, so it must be used", *x.headers.Line)
	}
	return all
}

// firstStream returns the first stream of the downstream connection.
func (x *exchange) firstStream() (step, bool) {
	for _, s := range x.journal.steps {
		if s.event == NewStream && s.Connection == x.downstream {
			return s, true
		}
	}
	return step{}, false
}
