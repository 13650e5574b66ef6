//go:build !linux

// Package node is the embedded node: a whole Kubernetes with Istio, in namespaces of a Linux
// machine. Elsewhere it says so.
package node

import (
	"context"
	"runtime"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/progress"
)

var enclosed = enclosure.Kind{Name: "node", Noun: "lab", Verb: Verb}

// Main is the hidden verb `lab __node`, whose processes this operating system cannot run.
func Main(args []string) int { return enclosed.Main(args) }

// Backend is the cluster.Backend of the embedded node.
type Backend struct{}

// New returns the embedded node's backend.
func New() *Backend { return &Backend{} }

var _ cluster.Backend = (*Backend)(nil)

// Name is what --backend calls it.
func (*Backend) Name() string { return "node" }

// Up says that there can be no such lab here.
func (*Backend) Up(_ context.Context, opts cluster.Options, _ progress.Reporter) (*cluster.Lab, error) {
	return nil, enclosure.Unsupported("lab " + opts.Name)
}

// Down is content: there is nothing.
func (*Backend) Down(_ context.Context, name string, _ progress.Reporter) error {
	_, err := cluster.CheckName(name)
	return err
}

// Status says that there is none.
func (b *Backend) Status(_ context.Context, name string) (cluster.Status, error) {
	name, err := cluster.CheckName(name)
	return cluster.Status{Schema: cluster.StatusSchema, Name: name, Backend: b.Name(), State: cluster.Absent}, err
}

// Processes says that no container runs on this machine.
func (*Backend) Processes(context.Context, *cluster.Lab, string, string, string) ([]int, error) {
	return nil, fault.Environmentf("find processes: %s has no containers of its own", runtime.GOOS)
}

// Guard is the socket of the process with which a lab of that name ends; it is not there.
func (*Backend) Guard(name string) string { return enclosed.Socket(name) }
