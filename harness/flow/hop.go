package flow

// HopKind names one decision on a request's way. Hops has them in their order.
type HopKind string

// The decisions on the way of a request through one proxy, and the two that stand outside a proxy:
// resolve at the client and app at the end.
const (
	Resolve         HopKind = "resolve"          // name to ClusterIP, by the pod's resolver
	NodePort        HopKind = "node-port"        // a node's port to a pod, by kube-proxy
	Redirect        HopKind = "redirect"         // netfilter REDIRECT to 15001 or 15006
	Listener        HopKind = "listener"         // the listener that takes the connection
	ListenerFilters HopKind = "listener-filters" // original_dst, tls_inspector, http_inspector
	FilterChain     HopKind = "filter-chain"     // the filter chain that matched
	DownstreamTLS   HopKind = "downstream-tls"   // TLS terminated, or not
	NetworkFilters  HopKind = "network-filters"  // the chain's network filters in order
	HTTPFilters     HopKind = "http-filters"     // the HTTP connection manager's filters in order
	Route           HopKind = "route"            // route configuration, virtual host, route
	Cluster         HopKind = "cluster"          // the cluster that the route names
	Endpoint        HopKind = "endpoint"         // the host that load balancing picks
	UpstreamTLS     HopKind = "upstream-tls"     // transport socket towards the endpoint
	Connect         HopKind = "connect"          // the connection that is dialled or taken from the pool
	App             HopKind = "app"              // the application's own socket
)

// Side says whose half of the way a hop belongs to.
type Side string

// The two sidecars a request between two workloads of the mesh passes.
const (
	Client Side = "client"
	Server Side = "server"
)

// A Hop is one decision: what was decided, from which field of the dump, why, and what lost.
type Hop struct {
	Kind  HopKind `json:"kind"`
	Side  Side    `json:"side,omitempty"`
	Proxy string  `json:"proxy,omitempty"` // "pod.namespace" of the sidecar that decides
	// how many connections inside of the proxy the request has taken before: internal listeners
	Inside   int    `json:"inside,omitempty"`
	Decision string `json:"decision"`

	Certainty   Certainty `json:"certainty,omitempty"`   // "" in a hop of before the field: certain
	Open        []string  `json:"open,omitempty"`        // what the decision depends on, where it is not certain
	Reason      Reason    `json:"reason,omitempty"`      // code of Why, where it has one
	Assumptions []Reason  `json:"assumptions,omitempty"` // codes of what was taken for granted

	Source string `json:"source,omitempty"` // JSON pointer (RFC 6901) into the proxy's dump
	// the same place by names, as `lab dump --at` takes it:
	// routes["8080"].virtual_hosts["a"].routes[0]. A batch has it only where all conditions were
	// asked for, as has Object
	Field string `json:"field,omitempty"`
	// the object that Istio made the field of, such as VirtualService mark/reviews; "": the dump
	// does not say
	Object   string        `json:"object,omitempty"`
	Timeout  string        `json:"timeout,omitempty"` // how long a route lets its request take; "": for ever
	Why      string        `json:"why,omitempty"`
	Rejected []Alternative `json:"rejected,omitempty"`
	Choices  []Choice      `json:"choices,omitempty"` // several possible results, with their expected shares
	Expect   []Fact        `json:"expect,omitempty"`  // what an instrument must see if the decision is right

	Conditions []Condition `json:"conditions,omitempty"` // every condition that was evaluated, where that was asked for
}

// A Condition is one condition that was evaluated on the way to a decision.
type Condition struct {
	Text    string `json:"text"`
	Source  string `json:"source,omitempty"`
	Holds   bool   `json:"holds"`
	Value   string `json:"value,omitempty"`   // that was compared, where the text does not have it
	Depends string `json:"depends,omitempty"` // what it depends on; Holds is then what was assumed
}

// An Alternative is what could have been decided and was not.
type Alternative struct {
	Name   string `json:"name"`
	Source string `json:"source,omitempty"`
	Object string `json:"object,omitempty"` // as of a Hop
	Reason Reason `json:"reason,omitempty"`
	Why    string `json:"why"`
}

// A Choice is one member of a set of possible results; shares of a set add up to 1.
type Choice struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

// A Fact is one value that an instrument can see. Value may hold * for any run of characters (an
// ephemeral port that cannot be known beforehand). Facts with the same Join must be observed with
// the same value wherever they are seen: that is how the 4-tuple joins two pods. Absent turns the
// fact around: an observation of it refutes the hop, and its absence counts only where the
// instrument was shown to be watching. May says that an observation of the fact is explained by the
// hop and that none is demanded.
type Fact struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	Join   string `json:"join,omitempty"`
	Absent bool   `json:"absent,omitempty"`
	May    bool   `json:"may,omitempty"`
}

// Names of facts. Inference predicts them, instruments report them; each is a term of
// Envoy's or the kernel's.
const (
	FactRedirectPort = "redirect.port"   // port the connection was redirected to: 15001 or 15006
	FactOriginalDst  = "original.dst"    // ip:port that the client dialled
	FactListener     = "listener"        // name of the listener
	FactFilter       = "listener.filter" // a listener filter that ran, by its canonical name
	FactSNI          = "sni"             // server name of the ClientHello
	FactALPN         = "alpn"            // protocols of the ClientHello, comma separated
	FactTransport    = "transport"       // raw_buffer or tls
	FactFilterChain  = "filter.chain"    // name of the matched filter chain
	FactPeer         = "downstream.peer" // ip:port of the downstream's remote end
	// "A → B": the redirection gave the downstream's end A, ip:port, the other port of B
	FactTranslated     = "peer.translated"
	FactXFCC           = "xfcc.uri"            // URI of x-forwarded-client-cert: the client's identity
	FactCodec          = "codec"               // http1 or http2, the downstream codec
	FactHTTPFilter     = "http.filter"         // an HTTP filter that acted
	FactHTTPFilters    = "http.filters"        // number of HTTP filters that were given the request's headers
	FactRouteConfig    = "route.config"        // name of the route configuration
	FactVirtualHost    = "virtual.host"        // name of the virtual host
	FactRoute          = "route"               // name of the route
	FactCluster        = "cluster"             // name of the cluster
	FactEndpoint       = "endpoint"            // ip:port of the chosen host
	FactSocketMatch    = "socket.match"        // name of the transport socket match: default, tlsMode-istio, …
	FactUpstreamLocal  = "upstream.local"      // ip:port that the upstream connection comes from
	FactUpstreamRemote = "upstream.remote"     // ip:port that the upstream connection goes to
	FactUpstreamReused = "upstream.reused"     // a pooled connection was used
	FactStatus         = "status"              // HTTP status that the proxy sent downstream
	FactUpstreamStatus = "upstream.status"     // HTTP status that came from upstream
	FactFlags          = "response.flags"      // Envoy's response flags
	FactResolved       = "resolved.address"    // address that a name resolved to
	FactProcess        = "process"             // name of the process that owns a socket
	FactConnections    = "downstream.accepted" // number of connections accepted in the window
	FactNetworkFilter  = "network.filter"      // a network filter that acted, by its canonical name
	// Envoy's details of the response: via_upstream, or why it replied itself
	FactDetails    = "response.details"
	FactListening  = "listening"      // ip:port that a process listens on
	FactHandshakes = "tls.handshakes" // number of TLS handshakes in the window
	// stat_prefix of the network filter that took the connection, without a semicolon at its end
	FactStatPrefix = "stat.prefix"
	// version of TLS on a connection of the proxy's own, such as TLSv1.3, or NoTLS
	FactTLSVersion = "tls.version"
	FactPeerURI    = "peer.uri"          // URI in the certificate that the other end of a connection showed
	FactConnection = "connection.id"     // Envoy's id of the downstream connection, by which logs name it
	FactMethod     = "request.method"    // method of the request as it is sent upstream, and as it arrives
	FactPath       = "request.path"      // its path with the query
	FactAuthority  = "request.authority" // its authority
	FactHeader     = "request.header"    // one of its headers, as name: value
	// time from the beginning of the request to the end of its answer, as the client measured it
	FactElapsed       = "answer.after"
	FactBytes         = "answer.bytes"      // size of the body that the client received
	FactFailure       = "answer.failure"    // the client's own error where it got no answer, or not all of it
	FactAttempts      = "upstream.attempts" // how often the proxy tried to get an answer from upstream
	FactUpstreamError = "upstream.failure"  // why an upstream connection failed, as the proxy's transport says
	// what shows that others sent a request on the way after the pools were looked at
	FactOthers = "others"
	FactOrder  = "order.broken" // a rule on the order of events that was broken; seeing one refutes the hop
)

// Values of facts that say that there is none.
const (
	NoTLS   = "none"    // of FactTLSVersion: the proxy neither terminates nor begins TLS on the connection
	Unnamed = "unnamed" // of FactFilterChain: the matched filter chain has no name
)
