package trace

import (
	"slices"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/harness/flow"
)

// Costly are the names of the probes on Envoy that can be left off, the dearest first.
var Costly = []string{envoy.ProbeStatements, envoy.ProbeJoin, envoy.ProbeCluster, envoy.ProbeFilterChain,
	envoy.ProbeSNI}

// A Level says which log statements are traced, by the level at which Envoy would log them.
type Level string

// Levels of the log trace.
const (
	LevelTrace Level = "trace" // all, some hundred for each request; the zero Level is the same
	LevelDebug Level = "debug" // those of debug and above but assertions, and those that are evidence: a third as many
)

// Levels are those that a Level can be.
var Levels = []string{string(LevelTrace), string(LevelDebug)}

// Evidence are the formats of the log statements that are evidence by themselves. Each has to be
// proven on every build.
func Evidence() []string {
	var all []string
	for _, s := range evidence {
		all = append(all, s.format)
	}
	return all
}

// Evident says whether a log statement is among those that are evidence.
func Evident(format string) bool { return slices.Contains(Evidence(), format) }

// NamesFilter says whether a log statement tells which filter ran: by the file that it stands in,
// or because it is the one by which the filter manager counts the filters that it calls.
func NamesFilter(file, format string) bool {
	_, filter := flow.FilterOfSource(file)
	return filter != "" || format == headersCalled
}

// A statement that is evidence: once it is reached, the hop has been there.
type statementEvidence struct {
	format string
	kind   flow.HopKind
	fact   string
	value  string
}

// evidence lists the statements that count. Each is proven by itself on every build: it has to be
// seen exactly once for each connection with one request.
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
