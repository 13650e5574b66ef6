package run

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// A Reach is how a process of its own finds the lab of a run, and knows that it is gone.
type Reach struct {
	Kubeconfig string `json:"kubeconfig"`
	Context    string `json:"context,omitempty"`
	Own        bool   `json:"own,omitempty"`   // the kubeconfig is the lab's own, and goes with it
	Guard      string `json:"guard,omitempty"` // socket of the process with which the lab ends; "": none
}

// guarded is a backend whose labs end with a process on this host.
type guarded interface {
	Guard(name string) string // its socket
}

// Reach is how the lab is found.
func (l Lab) Reach() Reach {
	r := Reach{Kubeconfig: l.Mesh.Kubeconfig(), Context: l.Mesh.Context()}
	if l.Cluster == nil {
		return r
	}
	r.Own = l.Cluster.Backend != "existing"
	if b, ok := l.Backend.(guarded); ok {
		r.Guard = b.Guard(l.Cluster.Name)
	}
	return r
}

// UnlessGone is the error of something that was to be done in the lab; nil where the lab is gone,
// and what was to be done with it. An apiserver that only does not answer may come back.
func (r Reach) UnlessGone(ctx context.Context, err error) error {
	if err == nil || r.gone(ctx) {
		return nil
	}
	return err
}

// gone reports whether the lab is known to be there no more.
func (r Reach) gone(ctx context.Context) bool {
	if _, err := os.Stat(r.Kubeconfig); r.Own && errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if r.Guard == "" {
		return false
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", r.Guard)
	if err == nil {
		_ = conn.Close()
		return false
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}
