package flow

// Certainty says how sure a decision is.
type Certainty string

// A decision is Certain where the dump and the request decide it. It Depends where something
// decides that neither says: a script, an outside service, DNS. It is left to Chance where Envoy
// draws a random number between outcomes that differ. Which of several equal endpoints of one
// cluster is taken is no such chance: the hop is certain as a set.
const (
	Certain Certainty = "certain"
	Depends Certainty = "depends"
	Chance  Certainty = "chance"
)

// What names the part of an outcome that is open.
type What string

// What a dependency leaves open. A filter that may answer leaves the outcome open
// and not the route.
const (
	WhatAnswer   What = "answer"   // whether the proxy answers by itself, and how
	WhatHeaders  What = "headers"  // headers of the request
	WhatPath     What = "path"     // its path
	WhatMetadata What = "metadata" // dynamic metadata or filter state
	WhatListener What = "listener"
	WhatChain    What = "chain" // the filter chain
	WhatRoute    What = "route"
	WhatCluster  What = "cluster"
	WhatHost     What = "host"    // the endpoint
	WhatAddress  What = "address" // the address behind a name
	WhatProtocol What = "protocol"
	WhatIdentity What = "identity" // a name in the client's certificate
	WhatWay      What = "way"      // everything from there on
)

// OnClient is what decides where a client may send a header with any value: see Call.Unknown.
const OnClient = "the client"

// A Dependency is one thing that decides and is in neither dump nor request.
type Dependency struct {
	Hop HopKind `json:"hop"` // where it is asked for
	// what decides: a filter, a service, a header that a filter may set, chance
	On     string `json:"on"`
	What   What   `json:"what"`             // what it leaves open
	Why    string `json:"why"`              // a sentence
	Source string `json:"source,omitempty"` // JSON pointer into the proxy's dump to what asks for it
}

// A Possibility is one outcome that an open decision may have.
type Possibility struct {
	Outcome     Outcome  `json:"outcome"`
	Failure     Failure  `json:"failure,omitempty"`
	Flag        string   `json:"flag,omitempty"`
	Status      int      `json:"status,omitempty"`
	Location    string   `json:"location,omitempty"`
	Listener    string   `json:"listener,omitempty"`
	FilterChain string   `json:"filterChain,omitempty"`
	VirtualHost string   `json:"virtualHost,omitempty"`
	Route       string   `json:"route,omitempty"` // its name, or else its index in brackets
	Cluster     string   `json:"cluster,omitempty"`
	Endpoints   []string `json:"endpoints,omitempty"`
	Share       float64  `json:"share,omitempty"` // of all requests, where chance alone decides
}
