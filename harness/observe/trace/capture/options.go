// Package capture makes recordings: it attaches the probes of package bpf to pods and to their
// Envoys, and understands what they tell. What it needs to know about a stripped Envoy it has
// recovered from the binary and proven, once for each build. Start begins to watch, Stop ends with
// a trace.Recording. It works on Linux on x86-64; elsewhere Start says so.
package capture

import (
	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
)

// Options say what to watch.
type Options struct {
	Pods []trace.Pod
	Data int // bytes of each read and write that are looked at for HTTP; 0: none
	// Envoy also puts probes on the pods' Envoys. What they need is recovered from the binary and
	// proven once, and kept in Cache.
	Envoy bool
	Cache envoybinary.Cache
	// Without are probes that are left off, by the names that a Recording gives them; of those on
	// Envoy without the process: a watch that needs less costs less. What they would have told is
	// not observed.
	Without []string
	// Statements is the level of the log statements that are traced; zero: all.
	Statements trace.Level
}

// DefaultData is enough for the head of a request between sidecars.
const DefaultData = kernel.DefaultData
