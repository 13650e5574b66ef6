package flow

// An Attempt is one try of a proxy's to get an answer from upstream. A proxy that retries makes
// several of one request, one after the other, all with its x-request-id. (Envoy: Router::Filter,
// RetryState; the number is the one in x-envoy-attempt-count.)
type Attempt struct {
	Proxy    string `json:"proxy"`  // "pod.namespace" of the sidecar that tried
	Number   int    `json:"number"` // from 1
	Endpoint string `json:"endpoint,omitempty"`
	Status   int    `json:"status,omitempty"`  // HTTP status that it was answered with; 0: none was seen
	Failure  string `json:"failure,omitempty"` // why it got no answer, in the proxy's words
	// time from its beginning to its answer or its failure, by the proxy's clock: 18.8ms
	After string `json:"after,omitempty"`
	// ReusedConnection or NewConnection; "": it got none
	Connection string       `json:"connection,omitempty"`
	SeenBy     []Instrument `json:"seenBy"`
}

// What Attempt.Connection can be.
const (
	NewConnection    = "new"
	ReusedConnection = "reused"
)

// A NextCall is a request that the application made on its own for the request that it serves, with
// the same x-request-id. It is no part of the inferred way, and no attempt of it.
type NextCall struct {
	From     string       `json:"from"` // "pod.namespace" of the application that calls on
	Method   string       `json:"method,omitempty"`
	URL      string       `json:"url"`                // authority and path, without a query
	Endpoint string       `json:"endpoint,omitempty"` // where its sidecar sent it
	Status   int          `json:"status,omitempty"`   // that it was answered with
	Attempts int          `json:"attempts,omitempty"` // how often its sidecar asked upstream; 0: once
	SeenBy   []Instrument `json:"seenBy"`
}

// Names of facts about attempts and next calls. An observation of one holds all that its instrument
// saw of it.
const (
	FactAttempt         = "attempt"            // number of an attempt of the proxy's, from 1
	FactAttemptEndpoint = "attempt.endpoint"   // ip:port that it went to
	FactAttemptStatus   = "attempt.status"     // HTTP status that it was answered with
	FactAttemptFailure  = "attempt.failure"    // why it got no answer
	FactAttemptAfter    = "attempt.after"      // time to its answer or failure
	FactAttemptConnects = "attempt.connection" // NewConnection or ReusedConnection; there is none where it got none
	// the how many-th attempt of the proxy before arrives at this one, from 1; with FactAttempt
	// where the proxy before numbered it
	FactArrival = "attempt.arrival"
	// "METHOD authority/path" of a request that the application itself made, without a query
	FactNextCall     = "next.call"
	FactNextEndpoint = "next.endpoint" // ip:port that its sidecar sent it to, or that it came to
	FactNextStatus   = "next.status"   // HTTP status that it was answered with
	FactNextAttempts = "next.attempts" // how often its sidecar asked upstream, where it was more than once
	FactNextPeer     = "next.peer"     // ip:port that one came from, at the sidecar that it came to
)
