package flow

// A WayChange is one request whose way is not the same in two dumps.
type WayChange struct {
	Schema  string      `json:"schema"` // WayChangeSchema
	ID      string      `json:"id,omitempty"`
	Error   string      `json:"error,omitempty"` // the line is no request, and nothing else is said
	Request Request     `json:"request"`
	Before  Decision    `json:"before"`
	After   Decision    `json:"after"`
	Hops    []HopChange `json:"hops"`
}

// WayChangeSchema is the version of the WayChange's JSON form.
const WayChangeSchema = "flowproof.dev/change/v1"

// A HopChange is one hop that differs; a hop that only one way has is empty on the other side.
type HopChange struct {
	Kind   HopKind `json:"kind"`
	Before string  `json:"before"`
	After  string  `json:"after"`
	Why    string  `json:"why,omitempty"` // of the hop afterwards
	Source string  `json:"source,omitempty"`
}
