package flow

import "iter"

// Outcome says how a request ends.
type Outcome string

// The ways a request can end.
const (
	Forwarded Outcome = "forwarded" // to an endpoint
	Answered  Outcome = "answered"  // by the proxy itself: redirect, direct response
	Failed    Outcome = "failed"    // with one of the Failure values
)

// Failure names why a request could not be forwarded.
type Failure string

// The named failures; the response flag where Envoy has one stands behind it.
const (
	NoListener        Failure = "no_listener"
	NoFilterChain     Failure = "no_filter_chain"
	TLSError          Failure = "tls_error"
	MTLSError         Failure = "mtls_error"
	ProtocolError     Failure = "protocol_error"
	NoVirtualHost     Failure = "no_virtual_host"     // NR
	NoRoute           Failure = "no_route"            // NR
	NoCluster         Failure = "no_cluster"          // NC
	NoHealthyEndpoint Failure = "no_healthy_endpoint" // UH
	Denied            Failure = "denied"              // RBAC, JWT
	BlackHole         Failure = "blackhole"
	Unanswered        Failure = "unanswered" // no filter sends the request on: it waits until the client gives up
)

// A Decision is the way of one Request through one proxy. Its JSON form is one line of
// `lab infer -o json`.
type Decision struct {
	Schema string `json:"schema"` // DecisionSchema
	ID     string `json:"id,omitempty"`
	// of a batch: the line is no request, and nothing else is said
	Error string `json:"error,omitempty"`
	Proxy string `json:"proxy,omitempty"`
	// the likeliest, or what follows if nothing that is open intervenes
	Outcome   Outcome      `json:"outcome"`
	Failure   Failure      `json:"failure"`
	Certainty Certainty    `json:"certainty"`
	Depends   []Dependency `json:"depends,omitempty"` // what decides and is in neither dump nor request
	// the outcomes that can be named, where there are several
	Possible []Possibility `json:"possible,omitempty"`
	// there may be outcomes beside Possible, which cannot be named
	Others      bool   `json:"others,omitempty"`
	Flag        string `json:"flag,omitempty"`
	Status      int    `json:"status,omitempty"`
	Location    string `json:"location,omitempty"`
	Listener    string `json:"listener,omitempty"`
	FilterChain string `json:"filterChain,omitempty"`
	// into filter_chains; -1: default_filter_chain; -2: none
	FilterChainIndex int               `json:"filterChainIndex"`
	RouteConfig      string            `json:"routeConfig,omitempty"`
	VirtualHost      string            `json:"virtualHost,omitempty"`
	Route            string            `json:"route,omitempty"`
	RouteIndex       int               `json:"routeIndex"`
	Cluster          string            `json:"cluster,omitempty"`
	Clusters         []WeightedCluster `json:"clusters,omitempty"`
	Rewrite          *Rewrite          `json:"rewrite,omitempty"`
	Mirrors          []Mirror          `json:"mirrors,omitempty"`          // second ways, whose answers are thrown away
	UpstreamProtocol string            `json:"upstreamProtocol,omitempty"` // HTTP11 or HTTP2; empty for TCP
	Endpoints        []Host            `json:"endpoints,omitempty"`
	UpstreamTLS      *UpstreamTLSMode  `json:"upstreamTLS,omitempty"`
	Hops             []Hop             `json:"hops"`
}

// DecisionSchema is the version of the Decision's JSON form; it changes only with that form.
const DecisionSchema = "flowproof.dev/decision/v2"

// A WeightedCluster is one cluster that a route may take.
type WeightedCluster struct {
	Name   string `json:"name"`
	Weight uint32 `json:"weight"`
}

// A Rewrite is what the route does to the request before it goes upstream.
type Rewrite struct {
	Path string `json:"path,omitempty"`
	Host string `json:"host,omitempty"`
}

// A Mirror is a second way of a request: to a cluster, with a host of its own.
type Mirror struct {
	Cluster string  `json:"cluster"`
	Host    string  `json:"host"`
	Share   float64 `json:"share"` // of all requests
}

// A Host is one endpoint that load balancing may pick.
type Host struct {
	Address  string `json:"address"` // ip:port
	Weight   uint32 `json:"weight"`
	Priority uint32 `json:"priority"`
	Healthy  bool   `json:"healthy"`
}

// UpstreamTLSMode is how the proxy speaks to the endpoint; for a sidecar it is what the next
// proxy's downstream will see.
type UpstreamTLSMode struct {
	Mode string   `json:"mode"` // plaintext, tls, mtls
	SNI  string   `json:"sni,omitempty"`
	ALPN []string `json:"alpn,omitempty"`
	Peer []string `json:"peer,omitempty"` // subject alternative names that are accepted
}

// A Path is the whole way of a Call: the hops of the client's sidecar, the server's
// sidecar and the app.
type Path struct {
	Schema    string        `json:"schema"` // PathSchema
	Call      Call          `json:"call"`
	Outcome   Outcome       `json:"outcome"`
	Failure   Failure       `json:"failure,omitempty"`
	Flag      string        `json:"flag,omitempty"`
	Certainty Certainty     `json:"certainty,omitempty"` // "" in a path of before the field: certain
	Depends   []Dependency  `json:"depends,omitempty"`
	Possible  []Possibility `json:"possible,omitempty"` // of the proxy where the first thing is open
	Others    bool          `json:"others,omitempty"`
	Hops      []Hop         `json:"hops"`
	// why no proxy takes the call where the last hop sends it, so that the way ends there
	Beyond   string    `json:"beyond,omitempty"`
	Variants []Variant `json:"variants,omitempty"` // the other ways that are possible, each whole
}

// Stretches yields each run of hops that one proxy decides, one after the other: the index of its
// first hop, and the one behind its last.
func (p Path) Stretches() iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for begin, end := 0, 0; begin < len(p.Hops); begin = end {
			first := p.Hops[begin]
			for end = begin; end < len(p.Hops) && p.Hops[end].Side == first.Side && p.Hops[end].Proxy == first.Proxy; {
				end++
			}
			if !yield(begin, end) {
				return
			}
		}
	}
}

// A Variant is another way that a call may take, where something is open that decides.
type Variant struct {
	Outcome Outcome `json:"outcome"`
	Failure Failure `json:"failure,omitempty"`
	Flag    string  `json:"flag,omitempty"`
	Hops    []Hop   `json:"hops"`
}

// PathSchema is the version of the Path's JSON form.
const PathSchema = "flowproof.dev/path/v2"
