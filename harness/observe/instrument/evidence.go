package instrument

import (
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// Evidence is what was recorded around one request.
type Evidence struct {
	RequestID string // x-request-id that the request was sent with
	Authority string // finds the request where its id was replaced
	Path      string
	Port      uint16 // of the application that is called; 0: unknown, every port may be
	Sent      time.Time
	Answered  time.Time
	Cold      bool   // no connection of the way was pooled before the request
	Warm      bool   // every worker had one pooled
	Peer      string // ip:port of the client's own end, as the client was told; "": unknown, or replaced on the way
	// From is the address that the client's own sidecar dials from, as a server's sees it; "":
	// there is no such sidecar, or a node replaces the address.
	From      string
	AccessLog string // form of the access log that the mesh declares: JSON or TEXT; "": it declares none
	Curl      []byte // what curl printed; nil: it was not kept
	Trace     any    // what package trace recorded; nil: it did not watch
	Client    Pod
	Servers   []Pod // that could be reached; the first is the one that was, as far as the evidence tells
}

// Pods are all pods of the evidence that have a name, the client first.
func (e Evidence) Pods() []Pod {
	var all []Pod
	for _, p := range append([]Pod{e.Client}, e.Servers...) {
		if p.Name != "" {
			all = append(all, p)
		}
	}
	return all
}

// A Pod is what was recorded at one pod.
type Pod struct {
	Name    string // "pod.namespace"
	IP      string
	Side    flow.Side
	Workers int // worker threads of its sidecar; 0: unknown
	// Quiet says that the log level was not raised: the log holds the access log, and no debug line
	// was to be expected.
	Quiet            bool
	LogProblem       string // why the log is not whole although it reads so
	AccessLogProblem string // why the request's line may be missing in the access log
	// Problems say of each instrument that told Target.Incomplete why it may not have
	// seen everything here.
	Problems map[flow.Instrument]string
	// Peer is the client's end of the connection that this pod's sidecar takes, where no other
	// sidecar is between; "": unknown.
	Peer  string
	Parts map[string][]byte // by the names of package instrument; what is not there was not recorded
}

// Part is a part of what was recorded; nil: it was not.
func (p Pod) Part(name string) []byte { return p.Parts[name] }

// Names of parts that more than one package reads. An instrument whose part no other
// reads names it itself.
const (
	LogText         = "log"
	SocketsBefore   = "sockets.before"
	SocketsAfter    = "sockets.after"
	SocketsAgain    = "sockets.again" // the client's, after all others
	StatsBefore     = "stats.before"
	StatsAfter      = "stats.after"
	RuntimeBefore   = "runtime.before"
	RuntimeAfter    = "runtime.after"
	RulesBefore     = "netfilter.before"
	RulesAfter      = "netfilter.after"
	ConntrackBefore = "conntrack.before"
	ConntrackAfter  = "conntrack.after"
)
