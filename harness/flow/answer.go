package flow

// An Answer says what became of the request itself: what the client was told, and by which proxy or
// application. It does not depend on the way. It is read from observations alone; inference has no
// part in it. A field that no instrument told is empty.
type Answer struct {
	Status  int      `json:"status,omitempty"`  // HTTP status that came back; 0: none did
	Failure string   `json:"failure,omitempty"` // the client's own error, such as "Connection reset by peer"
	By      string   `json:"by,omitempty"`      // who answered: a sidecar, or the application
	Details string   `json:"details,omitempty"` // Envoy's response code details, of the proxy that answered
	Flags   []string `json:"flags,omitempty"`   // Envoy's response flags, of the proxy that answered
	Cause   string   `json:"cause,omitempty"`   // why it failed, in words
	// time until the answer was there, as the client measured it: 18.8ms
	After string `json:"after,omitempty"`
	// how often the sidecar at the client's end asked upstream, where it was more than once
	Attempts int `json:"attempts,omitempty"`
	// Tried is each attempt of a proxy that tried more than once, or got no answer; the client's
	// proxy is the first
	Tried []Attempt  `json:"tried,omitempty"`
	Next  []NextCall `json:"next,omitempty"`  // requests that the application made on its own for this one
	Bytes string     `json:"bytes,omitempty"` // size of the body that the client received
	// beginning of the body, where it was asked for: without secrets and control characters. No
	// instrument reads it, and it is not kept
	Body     string     `json:"body,omitempty"`
	State    State      `json:"state"` // whether the instruments agree on the status
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Failed says whether the client got no answer, not all of it, or one that says that the request
// failed: 4xx or 5xx.
func (a Answer) Failed() bool { return a.Status == 0 || a.Status >= 400 || a.Failure != "" }
