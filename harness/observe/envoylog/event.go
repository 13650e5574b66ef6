package envoylog

import "strings"

// An Event is what a statement says, the same for each release of Envoy's wording.
type Event int

// The statements that prove something about a request. The comments give the line of the workshop's
// log that each is (L01 to L40); the ones without are from later releases or from failures.
const (
	Other                  Event = iota
	OriginalDstAccepted          // L01 original_dst: new connection accepted; from 1.30 on at trace level
	OriginalDstSet               // original_dst: set destination to <ip:port>
	TLSInspectorAccepted         // L02
	TLSServerName                // L03 tls:onServerName(), requestedServerName: <sni>
	TLSProtocols                 // tls:onALPN(), ALPN: <list>
	TLSInspectorNotTLS           // tls inspector: parseClientHello failed
	HTTPInspectorAccepted        // http inspector: new connection accepted
	HTTPInspectorSet             // http inspector: set application protocol to <protocol>
	NewConnection                // L04 new connection from <ip:port>
	NoFilterChain                // closing connection from <ip:port>: no matching filter chain found
	NewStream                    // L05
	RequestHeaders               // L06 request headers complete (end_stream=<bool>):
	RequestEnd                   // L07 request end stream [timestamp recorded]
	ConnectingState              // L08, L21 current connecting state: <bool>
	ClusterMatch                 // L09 cluster '<cluster>' match for URL '<path>'
	NoRoute                      // no route match for URL '<path>'
	UnknownCluster               // unknown cluster '<cluster>'
	SocketMatch                  // L10 transport socket match, socket <name> selected for host with address <ip:port>
	CreatedHost                  // L11 Created host [<cluster><ip:port> ]<ip:port>.
	AddHost                      // L12 addHost() adding [<cluster><ip:port> ]<ip:port>[.]
	MembershipUpdate             // L13, L15, L25 [batch ]membership update for TLS cluster <cluster>
	LocalLB                      // L14, L16, L26 re-creating local LB for TLS cluster <cluster>
	RouterHeaders                // L17 router decoding headers:
	QueueingStream               // L18 queueing stream due to no available connections
	TryingConnection             // L19 trying to create new connection
	CreatingConnection           // L20 creating a new connection
	ClientConnecting             // L22 connecting
	ConnectingTo                 // L23 connecting to <ip:port>
	ConnectInProgress            // L24 connection in progress
	Connected                    // L27 connected, of the connection
	ClientConnected              // L28 connected, of the codec client
	AttachingStream              // L29 attaching to next stream
	CreatingStream               // L30 creating stream
	UsingExisting                // using existing fully connected connection
	PoolReady                    // L31
	Attached                     // Attached upstream connection [C<id>] to downstream connection [C<id>]
	ClientResponseComplete       // L32
	UpstreamHeaders              // L33 upstream headers complete: end_stream=<bool>
	ResponseHeaders              // L34 encoding headers via codec (end_stream=<bool>):
	StatsReport                  // L35 to L38 of istio.stats as Wasm
	CodecCompleted               // Codec completed encoding stream.
	PoolResponseComplete         // L39
	DestroyingStream             // L40 destroying stream: <n> …
	StreamReset                  // stream reset: reset reason: <reason>, response details: <details>
	UpstreamReset                // upstream reset: reset reason: <reason>
	LocalReply                   // Sending local reply with details <details>
	PerTryTimeout                // upstream per try timeout
	Retry                        // performing retry
	ConnectError                 // delayed connect error: <error>
	RemoteClose                  // remote close
	ClosingSocket                // closing socket: <n>
	TCPProxySession              // new tcp proxy session
	TCPProxyCluster              // Creating connection to cluster <cluster>
	HTTP2Frame                   // any statement of the HTTP/2 codec about a connection
)

// wording is how one statement is worded: its logger (empty: any), how its message
// begins and how it ends.
type wording struct {
	event        Event
	logger       string
	begin, end   string
	exact        bool // the message is begin and nothing else
	onConnection bool // the statement is about a connection and has its id
}

// wordings lists the statements of Envoy 1.22 to 1.40. The first that fits counts.
var wordings = []wording{
	{event: OriginalDstAccepted, logger: "filter", begin: "original_dst: new connection accepted"},
	{event: OriginalDstAccepted, logger: "filter", begin: "original_dst: New connection accepted"},
	{event: OriginalDstSet, logger: "filter", begin: "original_dst: set destination to "},
	{event: TLSInspectorAccepted, logger: "filter", begin: "tls inspector: new connection accepted"},
	{event: TLSServerName, logger: "filter", begin: "tls:onServerName(), requestedServerName: "},
	{event: TLSProtocols, logger: "filter", begin: "tls:onALPN(), ALPN: "},
	{event: TLSInspectorNotTLS, logger: "filter", begin: "tls inspector: parseClientHello failed"},
	{event: HTTPInspectorAccepted, logger: "filter", begin: "http inspector: new connection accepted"},
	{event: HTTPInspectorSet, logger: "filter", begin: "http inspector: set application protocol to "},
	{event: NewConnection, logger: "conn_handler", begin: "new connection from ", onConnection: true},
	{event: NoFilterChain, logger: "conn_handler", begin: "closing connection from ",
		end: ": no matching filter chain found"},
	{event: NewStream, logger: "http", begin: "new stream", exact: true, onConnection: true},
	{event: RequestHeaders, logger: "http", begin: "request headers complete (end_stream="},
	{event: RequestEnd, logger: "http", begin: "request end stream"},
	{event: ResponseHeaders, logger: "http", begin: "encoding headers via codec (end_stream="},
	{event: CodecCompleted, logger: "http", begin: "Codec completed encoding stream."},
	{event: LocalReply, logger: "http", begin: "Sending local reply with details "},
	{event: LocalReply, logger: "http", begin: "Preparing local reply with details "},
	{event: StreamReset, logger: "http", begin: "stream reset: reset reason: "},
	{event: ConnectingState, logger: "connection", begin: "current connecting state: "},
	{event: ConnectingTo, logger: "connection", begin: "connecting to ", onConnection: true},
	{event: ConnectInProgress, logger: "connection", begin: "connection in progress", onConnection: true},
	{event: Connected, logger: "connection", begin: "connected", exact: true, onConnection: true},
	{event: ConnectError, logger: "connection", begin: "delayed connect error: ", onConnection: true},
	{event: ConnectError, logger: "connection", begin: "delayed connection error: ", onConnection: true},
	{event: ConnectError, logger: "connection", begin: "immediate connect error: ", onConnection: true},
	{event: ConnectError, logger: "connection", begin: "immediate connection error: ", onConnection: true},
	{event: RemoteClose, logger: "connection", begin: "remote close", onConnection: true},
	{event: ClosingSocket, logger: "connection", begin: "closing socket: ", onConnection: true},
	{event: ClusterMatch, logger: "router", begin: "cluster '", end: "'"},
	{event: NoRoute, logger: "router", begin: "no route match for URL '", end: "'"},
	{event: NoRoute, logger: "router", begin: "no cluster match for URL '", end: "'"},
	{event: UnknownCluster, logger: "router", begin: "unknown cluster '", end: "'"},
	{event: RouterHeaders, logger: "router", begin: "router decoding headers:"},
	{event: PoolReady, logger: "router", begin: "pool ready", exact: true},
	{event: Attached, logger: "router", begin: "Attached upstream connection [C"},
	{event: UpstreamHeaders, logger: "router", begin: "upstream headers complete: end_stream="},
	{event: UpstreamReset, logger: "router", begin: "upstream reset: reset reason: "},
	{event: PerTryTimeout, logger: "router", begin: "upstream per try timeout", exact: true},
	{event: Retry, logger: "router", begin: "performing retry", exact: true},
	{event: SocketMatch, logger: "upstream", begin: "transport socket match, socket "},
	{event: CreatedHost, logger: "upstream", begin: "Created host "},
	{event: AddHost, logger: "upstream", begin: "addHost() adding "},
	{event: MembershipUpdate, logger: "upstream", begin: "membership update for TLS cluster "},
	{event: MembershipUpdate, logger: "upstream", begin: "batch membership update for TLS cluster "},
	{event: LocalLB, logger: "upstream", begin: "re-creating local LB for TLS cluster "},
	{event: QueueingStream, logger: "pool", begin: "queueing stream due to no available connections"},
	{event: QueueingStream, logger: "pool", begin: "queueing request due to no available connections"},
	{event: TryingConnection, logger: "pool", begin: "trying to create new connection"},
	{event: CreatingConnection, logger: "pool", begin: "creating a new connection"},
	{event: UsingExisting, logger: "pool", begin: "using existing ", onConnection: true},
	{event: AttachingStream, logger: "pool", begin: "attaching to next ", onConnection: true},
	{event: CreatingStream, logger: "pool", begin: "creating stream", onConnection: true},
	{event: PoolResponseComplete, logger: "pool", begin: "response complete", onConnection: true},
	{event: DestroyingStream, logger: "pool", begin: "destroying stream: ", onConnection: true},
	{event: ClientConnecting, logger: "client", begin: "connecting", exact: true, onConnection: true},
	{event: ClientConnected, logger: "client", begin: "connected", exact: true, onConnection: true},
	{event: ClientResponseComplete, logger: "client", begin: "response complete", onConnection: true},
	{event: TCPProxySession, logger: "filter", begin: "new tcp proxy session", onConnection: true},
	{event: TCPProxyCluster, logger: "filter", begin: "Creating connection to cluster ", onConnection: true},
	{event: StatsReport, logger: "wasm", begin: "wasm log stats_"},
	{event: HTTP2Frame, logger: "http2", begin: "", onConnection: true},
}

// eventOf says what a line's message means, and returns the part of the message between
// the wording's ends.
func eventOf(line *Line) (Event, string) {
	if line.Kind != Statement {
		return Other, ""
	}
	for i := range wordings {
		w := &wordings[i]
		if w.logger != line.Logger || (w.onConnection && line.Connection == "") {
			continue
		}
		rest, ok := strings.CutPrefix(line.Message, w.begin)
		if !ok || (w.exact && rest != "") {
			continue
		}
		if rest, ok = strings.CutSuffix(rest, w.end); ok {
			return w.event, rest
		}
	}
	return Other, ""
}

// hostAddress takes the address out of "Created host" and "addHost() adding": "<ip:port>." in 1.22,
// "<cluster><ip:port> <ip:port>." in 1.40.
func hostAddress(rest string) string {
	fields := strings.Fields(strings.TrimSuffix(rest, "."))
	if len(fields) == 0 {
		return ""
	}
	return fields[len(fields)-1]
}

// socketMatch takes name and address out of "<name> selected for host with address <ip:port>".
func socketMatch(rest string) (name, address string) {
	name, address, _ = strings.Cut(rest, " selected for host with address ")
	return name, strings.TrimSpace(address)
}

// clusterMatch takes cluster and path out of "<cluster>' match for URL '<path>".
func clusterMatch(rest string) (cluster, path string, ok bool) {
	return strings.Cut(rest, "' match for URL '")
}

// attached takes the two connection ids out of "<up>] to downstream connection [C<down>]".
func attached(rest string) (up, down string, ok bool) {
	up, down, ok = strings.Cut(rest, "] to downstream connection [C")
	return up, strings.TrimSuffix(down, "]"), ok
}
