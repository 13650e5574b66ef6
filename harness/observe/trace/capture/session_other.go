//go:build !linux || !amd64

package capture

import (
	"context"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
)

// A Session is a watch that goes on.
type Session struct{}

// Start fails here: the probes are made for Linux on x86-64.
func Start(ctx context.Context, opts Options) (*Session, error) { return prepare(ctx, opts) }

func prepare(context.Context, Options) (*Session, error) {
	return nil, fault.Environmentf("start trace: the probes are made for Linux on x86-64")
}

func (*Session) begin() error { return nil }

// Detach takes the probes off.
func (*Session) Detach() error { return nil }

// Stop ends the session.
func (*Session) Stop() (*trace.Recording, error) { return nil, nil }

// Close ends the session without a recording.
func (*Session) Close() error { return nil }

// Features says that there are none here.
func Features() []Feature {
	return []Feature{{Name: "bpf", Needed: true, Detail: "the probes are made for Linux on x86-64"}}
}

// Prove fails here for the same reason.
func Prove(context.Context, string, *envoybinary.Table) (*envoybinary.Proof, error) {
	return nil, fault.Environmentf("prove symbols: the probes are made for Linux on x86-64")
}
