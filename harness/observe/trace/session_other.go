//go:build !linux || !amd64

package trace

import (
	"context"

	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/symbols"
)

// Options say what to watch.
type Options struct {
	Pods []Pod
	Data int
	// Envoy also puts probes on the pods' Envoys.
	Envoy bool
	Cache symbols.Cache
	// Without are probes that are left off.
	Without []string
	// Statements is the level of the log statements that are traced.
	Statements Level
}

// DefaultData is enough for the head of a request between sidecars.
const DefaultData = 2048

// A Session is a watch that goes on.
type Session struct{}

// Start fails here: the probes are made for Linux on x86-64.
func Start(context.Context, Options) (*Session, error) {
	return nil, exit.Environmentf("start trace: the probes are made for Linux on x86-64")
}

// Stop ends the session.
func (*Session) Stop() (*Recording, error) { return nil, nil }

// Close ends the session without a recording.
func (*Session) Close() error { return nil }

// Features says that there are none here.
func Features() []Feature {
	return []Feature{{Name: "bpf", Needed: true, Detail: "the probes are made for Linux on x86-64"}}
}
