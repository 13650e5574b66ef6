// Package instrument says what an instrument is made of and what it is given. It is the part of
// package observe that the packages of the instruments import.
//
// An instrument looks at pods before a request and after it, keeps what it read as parts of raw
// evidence, and tells later, from that evidence alone, what was seen. It is given nothing that was
// inferred: which pods are looked at follows from the request and the cluster, and every instrument
// looks at each of them.
package instrument

import (
	"context"
	"errors"

	"github.com/flowproof/lab/harness/flow"
)

// An Instrument is one way to see a request. A value is for one run, and may keep from Before to
// After what it needs.
type Instrument interface {
	// Name is how observations, watches and absences name it.
	Name() flow.Instrument
	// Sees are the facts that it can see at best. What it could see in a run its Watch says.
	Sees() []flow.Capability
	// Parts are the names of the raw evidence that it keeps of a pod: WHAT, or WHAT.MOMENT, in
	// small letters and hyphens. A bundle keeps one as WHAT/POD.txt or WHAT/POD.MOMENT.txt. Two
	// instruments that read the same thing name the same part.
	Parts() []string
	// Before begins to look at pods, before the request. An instrument that cannot take part says
	// so by Target.Absent; an error ends the run.
	Before(ctx context.Context, pods []Target) error
	// After ends to look at them, after the request, and keeps what there is to keep.
	After(ctx context.Context, pods []Target, sent Sent) error
	// Observe tells what the evidence shows. A pod where it did not look has no watch. The error
	// names what cannot be read, and comes with the watch that says so.
	Observe(e Evidence) ([]flow.Observation, []flow.Watch, error)
}

// Described is an instrument that brings what it is, where the glossary has no entry of its name.
type Described interface {
	// Is says what the instrument is, in a sentence in one of the glossary's languages.
	Is(language string) string
}

// Sent is what is known of a request that was sent: what an instrument may find it by.
type Sent struct {
	RequestID string // x-request-id: of the request, or of the control that was sent after it
	Peer      string // ip:port of the client's end of its connection, as the client says; "": unknown
	AccessLog string // form of the access log that the mesh declares; "": it declares none
	// Behind are the pods that Kubernetes says are behind the URL, by their Ref.
	Behind []string
}

// A Place is where in a pod a command is run first. All containers of a pod have one network; when
// the command is in none of them, or is refused there, it is run on this host in that network,
// where the pod is on this host.
type Place int

// The places.
const (
	InSidecar Place = iota // in the sidecar, whose processes it alone may see; else in any other container
	InApp                  // in the application's container
)

// Errors that are in the chain of what Target's methods return.
var (
	ErrUnavailable = errors.New("it cannot be read here") // by no process, on no host
	ErrElsewhere   = errors.New("the pod's processes are not on this host")
)

// A Command reads something in a pod's network.
type Command struct {
	Where Place    // the container that it is run in first
	Words []string // the program and its arguments
	// OnHost are the words on this host, where they are others; nil: the same.
	OnHost []string
	// Read reads the same on this host without a program, as root, in the network namespace of a
	// process; nil: that is not possible.
	Read func(pid int) ([]byte, error)
	// Netlink says that the program needs no more than the kernel's netlink, so that a node's own
	// can be run where this host has none.
	Netlink bool
	// Doubt says why what the program printed on this host is not believed, of the network
	// namespace of a process; nil: it always is.
	Doubt func(pid int, text []byte) error
}

// A Target is one pod that is looked at.
type Target interface {
	Ref() string // "pod.namespace"
	IP() string
	Side() flow.Side
	HasSidecar() bool

	// Run runs a command in the pod's network and returns what it printed, which is never nil.
	Run(ctx context.Context, command Command) ([]byte, error)
	// Stats reads the counters of the sidecar whose names match a regular expression.
	Stats(ctx context.Context, filter string) ([]byte, error)
	// Runtime reads the sidecar's runtime values, of all layers, as JSON.
	Runtime(ctx context.Context) ([]byte, error)
	// Log is the window onto the sidecar's log. The first call opens it; it is kept as the part Log
	// when the run is observed.
	Log(ctx context.Context) (Log, error)
	// Processes are those of the sidecar on this host.
	Processes(ctx context.Context) ([]int, error)

	// Keep keeps a part of the pod's raw evidence, which is one of the instrument's Parts. Kept
	// returns it; nil is one that is not kept.
	Keep(part string, text []byte)
	Kept(part string) []byte
	// Absent notes that an instrument cannot take part at this pod, and why.
	Absent(instrument flow.Instrument, reason error)
	// Incomplete notes why an instrument may not have seen everything at this pod.
	Incomplete(instrument flow.Instrument, reason error)
}

// A Log is a window onto the log of a sidecar.
type Log interface {
	// WaitFor returns when the window holds one of the texts, and fails when ctx or the
	// log ends before that.
	WaitFor(ctx context.Context, texts ...string) error
	// Whole returns when the window holds everything that Envoy has logged so far. quiet says that
	// the log level is not raised, so that there is no debug log to wait for. The error says why
	// the window is not whole.
	Whole(ctx context.Context) (quiet bool, err error)
	// Text is what the window holds so far.
	Text() []byte
}
