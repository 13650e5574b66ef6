package flow

// ExplanationSchema is the version of the JSON form of an Explanation.
const ExplanationSchema = "flowproof.dev/explanation/v1"

// An Explanation is what is known of one request that happened.
type Explanation struct {
	Schema string `json:"schema"`
	Result string `json:"result"` // in one line: what came of it, where it ended, and why
	Failed bool   `json:"failed"`
	// whose log the line is of, as far as the dump or the archive says
	Proxy     string         `json:"proxy,omitempty"`
	Direction Direction      `json:"direction"`         // of the proxy
	Request   Request        `json:"request"`           // as it was read
	Status    int            `json:"status,omitempty"`  // that the proxy sent; 0: none
	Flags     []string       `json:"flags,omitempty"`   // by their short names
	Details   string         `json:"details,omitempty"` // of the response, or of the connection
	Transport string         `json:"transport,omitempty"`
	Duration  string         `json:"duration,omitempty"` // in milliseconds
	Ended     Ending         `json:"ended"`
	Causes    []Cause        `json:"causes,omitempty"`
	Hops      []ExplainedHop `json:"hops,omitempty"`    // of the inferred way; none without a dump
	Differ    []Difference   `json:"differ,omitempty"`  // what the line and the inference do not agree on
	Assumed   []string       `json:"assumed,omitempty"` // what neither the line nor the dump says
	Open      []string       `json:"open,omitempty"`    // what the way depends on and is not known
	Next      []string       `json:"next,omitempty"`    // where to look further
	Line      LogLine        `json:"line"`
}

// A LogLine is where the request was read.
type LogLine struct {
	Source string   `json:"source,omitempty"` // file, or part of an archive
	Number int      `json:"number,omitempty"`
	Format string   `json:"format"`
	Text   string   `json:"text"`
	Unsure []string `json:"unsure,omitempty"` // values that the text leaves open
}

// An Ending is where a request ended.
type Ending struct {
	Hop    HopKind `json:"hop,omitempty"`    // "": the line does not say
	Beyond bool    `json:"beyond,omitempty"` // the proxy had sent it on: it ended behind it
	Client bool    `json:"client,omitempty"` // the client ended it
	At     string  `json:"at,omitempty"`     // what was decided there: a cluster, a filter, an address
	Why    string  `json:"why,omitempty"`
	Source string  `json:"source,omitempty"` // JSON pointer into the dump
}

// How a hop stands to the request's end.
const (
	Passed     = "passed"
	Ended      = "ended"
	NotReached = "not reached"
	Unknown    = "unknown" // the line does not say whether the request came there
)

// An ExplainedHop is one inferred decision with what the line says of it.
type ExplainedHop struct {
	Kind      HopKind   `json:"kind"`
	Decision  string    `json:"decision"`
	Certainty Certainty `json:"certainty,omitempty"`
	Source    string    `json:"source,omitempty"`
	Field     string    `json:"field,omitempty"`  // as of a Hop
	Object    string    `json:"object,omitempty"` // as of a Hop
	Why       string    `json:"why,omitempty"`
	State     string    `json:"state"`
	Logged    string    `json:"logged,omitempty"` // what the line says of it, if anything
	Agrees    bool      `json:"agrees,omitempty"` // that this is what was inferred
}

// A Difference is one thing on which line and inference do not agree.
type Difference struct {
	Hop      HopKind `json:"hop,omitempty"`
	Logged   string  `json:"logged"`
	Inferred string  `json:"inferred"`
}

// A Cause is one thing that makes Envoy write a flag or details, with what a dump has of it.
type Cause struct {
	Of    string  `json:"of"` // the flag or details
	Text  string  `json:"text"`
	Found []Found `json:"found,omitempty"` // in the dump
	// Looked says that the dump was looked at: nothing Found then means that it has nothing of this
	// cause.
	Looked bool `json:"looked,omitempty"`
}

// A Found is one place in a dump that shows a cause.
type Found struct {
	Text   string `json:"text"`
	Source string `json:"source"` // JSON pointer into the dump
}

// LogExplanationSchema is the version of the JSON form of a LogExplanation.
const LogExplanationSchema = "flowproof.dev/log-explanation/v1"

// A LogExplanation is what became of all requests of one log or of several.
type LogExplanation struct {
	Schema string     `json:"schema"`
	Result string     `json:"result"`
	Lines  int        `json:"lines"`  // of access logs
	Failed int        `json:"failed"` // of them
	Groups []LogGroup `json:"groups"` // requests that failed alike, the most frequent first
}

// A LogGroup is requests that failed alike.
type LogGroup struct {
	Count   int     `json:"count"`
	Result  string  `json:"result"`
	What    string  `json:"what"`
	Causes  []Cause `json:"causes,omitempty"`
	Example string  `json:"example"` // number of a line, and its request's id
}
