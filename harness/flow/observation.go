package flow

import "time"

// Instrument names what made an Observation.
type Instrument string

// The instruments; each shares nothing with inference, and nothing that decides with
// another instrument.
const (
	EnvoyLog  Instrument = "log"     // Envoy's debug log
	Sockets   Instrument = "sockets" // the kernel's socket tables
	Curl      Instrument = "curl"    // what the client itself was told
	Trace     Instrument = "ebpf"
	Stats     Instrument = "stats"
	Netfilter Instrument = "netfilter"
	AccessLog Instrument = "access-log"
)

// An Observation is one thing that one instrument saw.
type Observation struct {
	Time       time.Time  `json:"time,omitzero"`
	Instrument Instrument `json:"instrument"`
	Where      Where      `json:"where"`
	Side       Side       `json:"side,omitempty"`
	Kind       HopKind    `json:"kind"`
	Facts      []Seen     `json:"facts"`
	Raw        string     `json:"raw,omitempty"` // the line, row or event itself, redacted
}

// Seen is one value that was seen.
type Seen struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Where says where something was seen.
type Where struct {
	Pod        string `json:"pod,omitempty"` // "pod.namespace"
	PID        int    `json:"pid,omitempty"`
	Thread     string `json:"thread,omitempty"`
	Connection string `json:"connection,omitempty"` // Envoy's connection id
	Stream     string `json:"stream,omitempty"`     // Envoy's stream id
}

// A Watch is what an instrument says about itself: where it watched, which facts it is able to see
// there, and whether it saw everything. A run with an incomplete watch is never verified. A watch
// that abstains lost nothing: what it saw could be of other traffic too, so it tells less, Sees
// holds only what is left, and the run needs other witnesses.
type Watch struct {
	Instrument Instrument   `json:"instrument"`
	Pod        string       `json:"pod,omitempty"`
	Side       Side         `json:"side,omitempty"`
	Sees       []Capability `json:"sees"`
	Complete   bool         `json:"complete"`
	Lost       int          `json:"lost,omitempty"`
	Problem    string       `json:"problem,omitempty"`  // why it is not complete
	Abstains   string       `json:"abstains,omitempty"` // what it does not tell, because it cannot be told apart
}

// An Absence is an instrument, or another command, that could not take part in a run, and why. Its
// run is judged without it.
type Absence struct {
	Instrument Instrument `json:"instrument"`
	Pod        string     `json:"pod,omitempty"` // where it is absent; empty: everywhere
	Reason     string     `json:"reason"`
	// what that costs; empty: the hops not observed that it could have seen
	Cost string `json:"cost,omitempty"`
}

// A Capability is one fact of one kind of hop that an instrument can see. With a Value it can see
// only that value: the debug log shows that the router ran, and of the fault filter nothing.
type Capability struct {
	Kind  HopKind `json:"kind"`
	Fact  string  `json:"fact"`
	Value string  `json:"value,omitempty"`
}
