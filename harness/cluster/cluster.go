// Package cluster knows what every backend of the lab has in common: it comes up, it goes down, it
// says how it is, and above its kubeconfig all of them are the same Kubernetes.
package cluster

import (
	"context"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/labstate"
	"github.com/flowproof/lab/internal/progress"
)

// Options say what a lab shall have when it is up.
type Options struct {
	Name   string // of the lab; DefaultName when empty
	Images string // a source of images, as --images takes it; "" for "built"
	Istio  string // version to install, such as 1.29.0, of published images; "" for the one that is known to fit
	Retain bool   // keep what is there after a failure, to look at it
	Fresh  bool   // start from an empty cluster and apply every object, instead of from prepared data

	// parts to put into a cluster that was there before: Istio, Workshop; other backends bring all
	// of them
	Install []string
}

// DefaultName is the name of the lab when none is given.
const DefaultName = "lab"

// The parts of a lab that can be installed on a cluster.
const (
	Istio    = "istio"
	Workshop = "workshop"
)

// A Lab is a cluster that is up, with Istio and the workshop in it.
type Lab struct {
	Name       string
	Backend    string
	Kubeconfig string // path of a kubeconfig, mode 0600, whose current context is the lab unless Context names another
	Context    string // of the kubeconfig; empty: its current one
	Joined     bool   // it ran already
	Objects    []Object
	Timings    []progress.Timing
}

// Joined is what a backend returns of a lab that another process was faster to bring up. It is an
// error when that lab is gone again.
func Joined(name string, lab *Lab, err error) (*Lab, error) {
	if lab == nil && err == nil {
		return nil, fault.Environmentf("join lab %s: another process brought it up and took it down again (try again)",
			name)
	}
	return lab, err
}

// An Object is one that a lab has put into a cluster which was there before it.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Part      string `json:"part,omitempty"` // Istio or Workshop
}

// String is "kind namespace/name", or "kind name".
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// Status is what a backend knows about a lab by name.
type Status struct {
	Schema     string `json:"schema"`
	Name       string `json:"name"`
	Backend    string `json:"backend"`
	State      string `json:"state"` // absent, starting, running, failed
	Reason     string `json:"reason,omitempty"`
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Context    string `json:"context,omitempty"`
	// that the lab has put into a cluster which was there before it
	Objects   []Object  `json:"objects,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Processes []Process `json:"processes,omitempty"`
	// of the whole lab; a page that processes share counts once
	Memory  int64             `json:"memoryBytes,omitempty"`
	Timings []progress.Timing `json:"timings,omitempty"`
}

// StatusSchema is the version of the Status's JSON form.
const StatusSchema = "flowproof.dev/status/v1"

// The states of a lab.
const (
	Absent   = labstate.Absent   // there is none of that name
	Starting = labstate.Starting // it is being brought up
	Running  = labstate.Running  // it has been brought up
	Broken   = labstate.Broken   // it did not come up, or a part of it has ended
)

// A Process is one component of a lab.
type Process struct {
	Name   string `json:"name"`
	PID    int    `json:"pid"`
	Memory int64  `json:"memoryBytes"`
}

// A Backend brings labs up and down.
type Backend interface {
	// Name is what --backend calls it: node, kind, existing.
	Name() string
	// Up brings the lab up, or joins it when it runs. It returns when both sidecars of the workshop
	// answer. When ctx ends before that, nothing is left behind.
	Up(ctx context.Context, opts Options, p progress.Reporter) (*Lab, error)
	// Down removes everything of the lab by name, from any state, and is content
	// when there is nothing.
	Down(ctx context.Context, name string, p progress.Reporter) error
	// Status never changes anything.
	Status(ctx context.Context, name string) (Status, error)
	// Processes returns the process ids, in this host's numbering, of a container of a pod;
	// the first is its entry point. process.ErrElsewhere is in the chain of its error when
	// they are not on this host.
	Processes(ctx context.Context, lab *Lab, namespace, pod, container string) ([]int, error)
}
