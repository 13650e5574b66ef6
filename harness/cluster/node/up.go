//go:build linux

package node

import (
	"context"
	"errors"
	"os"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/internal/workshop"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/progress"
)

// Up brings the lab up, or joins it when it runs.
func (b *Backend) Up(ctx context.Context, opts cluster.Options, p progress.Reporter) (*cluster.Lab, error) {
	name, err := cluster.CheckName(opts.Name)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, fault.Environmentf("bring up lab %s: the embedded node makes namespaces and mounts (run as root, "+
			"or use a cluster of your own with --kubeconfig)", name)
	}
	if lab, err := join(ctx, name, p); lab != nil || err != nil {
		return lab, err
	}
	made, err := makeParts(ctx, opts, p)
	if err != nil {
		return nil, err
	}
	clock := progress.NewStopwatch()
	if err := enclosed.SweepLeft(ctx, name); err != nil {
		return nil, err
	}
	o, err := launch(ctx, name, made.set, initConfig{Prepared: made.prepared})
	if errors.Is(err, enclosure.ErrTaken) {
		lab, err := join(ctx, name, p) // another process was faster
		return cluster.Joined(name, lab, err)
	}
	if err != nil {
		return nil, err
	}
	lab, err := install(ctx, o, name, made.objects, made.prepared != "", p, clock)
	if err != nil && !opts.Retain {
		o.Abandon()
		return nil, err
	}
	return lab, errors.Join(err, o.Commit(clock.Timings))
}

// parts are what a lab is brought up from.
type parts struct {
	set      *components.Set
	objects  [][]byte // to be applied; nil with prepared data
	prepared string   // directory of prepared data; empty: the cluster begins empty
}

// makeParts makes or finds a lab's parts. Where it was left to choose between a registry's images
// and built ones, images that make no lab are no reason for there being none.
func makeParts(ctx context.Context, opts cluster.Options, p progress.Reporter) (parts, error) {
	chosen, err := components.Choose(ctx, components.Options{Images: opts.Images, Istio: opts.Istio}, p)
	if err != nil {
		return parts{}, err
	}
	made, err := partsOf(ctx, chosen.WithValues(), opts.Fresh, p)
	if err != nil && ctx.Err() == nil && opts.Images == components.Auto && components.PublishedImages(chosen.Images) &&
		opts.Istio == "" {
		p.Say("The registry's images make no lab: %v\nImages: %s, for that reason.", err, components.Built)
		chosen.Images = components.Built
		return partsOf(ctx, chosen.WithValues(), opts.Fresh, p)
	}
	return made, err
}

func partsOf(ctx context.Context, o components.Options, fresh bool, p progress.Reporter) (parts, error) {
	set, err := programs(ctx, o, p)
	if err != nil {
		return parts{}, err
	}
	objects, err := workshop.Objects(set.Istio, true)
	if err != nil || fresh {
		return parts{set: set, objects: objects}, err
	}
	prepared, err := prepare(ctx, set, objects, p)
	return parts{set: set, prepared: prepared}, err
}

// programs returns the components, after reading those that root is about to run to their
// last byte. One that is damaged is made again, which is said: a node that runs it would be
// waited for in vain.
func programs(ctx context.Context, o components.Options, p progress.Reporter) (*components.Set, error) {
	for again := false; ; again = true {
		set, err := components.Ensure(ctx, o, p)
		if err != nil {
			return nil, err
		}
		err = set.Check(components.NodePrograms()...)
		if !errors.Is(err, components.ErrDamaged) || again {
			return set, err
		}
		p.Say("%v: making it again", err)
	}
}

// join waits for a lab that another process has brought or is bringing up. It returns nil
// when there is none.
func join(ctx context.Context, name string, p progress.Reporter) (*cluster.Lab, error) {
	s, err := enclosed.Ask(ctx, name, -1)
	if errors.Is(err, enclosure.ErrNoGuard) {
		return nil, nil
	}
	if err == nil && s.State == cluster.Starting {
		task := p.Start("Waiting for lab " + name + ", which another process is bringing up")
		for err == nil && s.State == cluster.Starting {
			s, err = enclosed.Ask(ctx, name, s.Version)
		}
		task.Done(err)
	}
	if errors.Is(err, enclosure.ErrNoGuard) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.State != cluster.Running {
		return nil, fault.Environmentf("join lab %s: it is going down: %s", name, s.Reason)
	}
	return &cluster.Lab{Name: name, Backend: "node", Kubeconfig: s.Kubeconfig, Joined: true, Timings: s.Timings}, nil
}

// launch starts a lab's enclosure, which holds the components for as long as it lives, so that no
// process removes them from the cache.
func launch(ctx context.Context, name string, set *components.Set, c initConfig) (*enclosure.Owner, error) {
	hold, err := set.Hold()
	if err != nil {
		return nil, err
	}
	defer hold.Close()
	c.RootFS, c.Bin, c.Store = set.RootFS, set.Bin, set.Store
	return enclosed.Launch(ctx, name, c, hold)
}
