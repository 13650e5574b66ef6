//go:build !linux

package docker

import (
	"context"

	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/progress"
)

// enclosed is what a Docker of our own would live in.
var enclosed = enclosure.Kind{Name: "docker", Suffix: ".docker", Noun: "Docker of lab", Verb: Verb}

// Main is the hidden verb, whose processes this operating system cannot run.
func Main(args []string) int { return enclosed.Main(args) }

// Start says that there can be no Docker of our own here.
func Start(_ context.Context, name string, _ Options, _ progress.Reporter) (*Docker, error) {
	return nil, enclosure.Unsupported("Docker of lab " + name)
}

// Prepare says that there can be no Docker of our own here.
func Prepare(_ context.Context, name, _ string, _ func(context.Context, *Docker) error) error {
	return enclosure.Unsupported("Docker of lab " + name)
}

// DaemonVersion says that there can be no Docker of our own here.
func DaemonVersion(context.Context) (string, error) { return "", whyNoDaemon() }

// Ours returns nil: there is none.
func Ours(context.Context, string) (*Docker, error) { return nil, nil }

// State says that there is none.
func State(context.Context, string, int) (enclosure.State, error) {
	return enclosure.State{}, enclosure.ErrNoGuard
}

// Stop is content: there is nothing.
func Stop(context.Context, string) error { return nil }

// Members is empty: there is nothing.
func Members(string) ([]int, error) { return nil, nil }

func whyNoDaemon() error { return enclosure.Unsupported("a Docker") }
