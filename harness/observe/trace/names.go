package trace

import (
	"slices"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/symbols"
)

// Names of the values that probes on Envoy read.
const (
	valueFilterChain = symbols.ValueFilterChain
	valueCluster     = symbols.ValueCluster
	valueSNI         = symbols.ValueSNI
)

// Costly are the names of the probes on Envoy, by which Options.Without leaves them off; the dearest first.
var Costly = []string{probeStatements, probeJoin, valueCluster, valueFilterChain, valueSNI}

// Names of the probes on Envoy that read no value.
const (
	probeJoin        = "join"
	probeJoinCluster = "cluster by the join"
	probeJoinID      = "connection id by the join"
	probeStatements  = "statements"
)

// A Level says which log statements are traced, by the level at which Envoy would log them.
type Level string

// Levels of the log trace.
const (
	LevelTrace Level = "trace" // all, some hundred for each request; the zero Level is the same
	LevelDebug Level = "debug" // those of debug and above but assertions, and those that are evidence: a third as many
)

// Levels are those that a Level can be.
var Levels = []string{string(LevelTrace), string(LevelDebug)}

// debugged says whether a statement is among those of LevelDebug; one whose level could not be told is, and so are those that
// tell which filters ran. What only fails an assertion
// is left out: Envoy ends there.
func debugged(s symbols.Statement) bool {
	if slices.ContainsFunc(evidence, func(e statementEvidence) bool { return e.format == s.Format }) {
		return true
	}
	if _, filter := flow.FilterOfSource(s.File); filter != "" || s.Format == headersCalled {
		return s.Level != "critical"
	}
	return !slices.Contains([]string{"trace", "critical"}, s.Level)
}

// A statement that is evidence: once it is reached, the hop has been there.
type statementEvidence struct {
	format string
	kind   flow.HopKind
	fact   string
	value  string
}

// evidence lists the statements that count. Each is proven by itself on every build: it has to be seen exactly once for
// each connection with one request.
var evidence = []statementEvidence{
	{"original_dst: new connection accepted", flow.ListenerFilters, flow.FactFilter, originalDstFilter},
	{"tls inspector: new connection accepted", flow.ListenerFilters, flow.FactFilter, tlsInspector},
	{"http inspector: new connection accepted", flow.ListenerFilters, flow.FactFilter, httpInspector},
	{headersComplete, flow.NetworkFilters, flow.FactNetworkFilter, httpManager},
	{headersRouted, flow.HTTPFilters, flow.FactHTTPFilter, routerFilter},
}

// Statements by which a stream's part of what happened on its connection is found.
const (
	headersComplete = "{}request headers complete (end_stream={}):\n{}"
	headersCalled   = "{}decode headers called: filter={} status={}"
	headersRouted   = "{}router decoding headers:\n{}"
)

// Canonical names of the filters that evidence is about.
const (
	originalDstFilter = "envoy.filters.listener.original_dst"
	tlsInspector      = "envoy.filters.listener.tls_inspector"
	httpInspector     = "envoy.filters.listener.http_inspector"
	httpManager       = "envoy.filters.network.http_connection_manager"
	routerFilter      = "envoy.filters.http.router"
)
