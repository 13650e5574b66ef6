//go:build linux && amd64

package prove

import (
	"net/netip"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/internal/envoybinary"
)

// A Watch attaches recipes to the Envoy that is a process, lets do make it work, and returns what
// the probes told. Sources say what the recipes are. Where anything was lost it returns an error.
type Watch func(pid int, recipes []envoy.Recipe, sources []envoybinary.Source, do func() error) (*Seen, error)

// Seen is what probes told of an Envoy, in the order of time.
type Seen struct {
	Calls []Call  // of the recipes of kind envoy.Call
	Ready []Ready // of the recipes of kind envoy.Ready
	// Connections are those that Envoy accepted, by the client's end.
	Connections map[netip.AddrPort]Connection
	// Clashes counts connections that could not be told from one another.
	Clashes int
}

// A Call is a function of a class that was called.
type Call struct {
	Recipe         string // its name
	Object, Caller uint64 // addresses: of the object in the process, of the caller as linked
	Arguments      []uint64
}

// Ready is a request that was given its connection, with what a recipe found at the
// end of its ways.
type Ready struct {
	Recipe string   // its name
	Names  []string // in the order of the recipe's ways
	Number uint64
}

// A Connection is what was told of one.
type Connection struct {
	Values     []Value
	Statements []string  // formats of those that were reached while Envoy served it
	Requests   []Request // those of its requests that were given a connection, in their order
}

// A Value was read by the probe of that name in package envoy.
type Value struct{ Name, Text string }

// A Request was given a connection.
type Request struct {
	Local      netip.AddrPort // Envoy's own end of the connection that it was given
	Cluster    string
	Connection uint64 // id of the downstream connection
}
