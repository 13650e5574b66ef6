package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/internal/workshop"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/progress"
)

// upDeadline is how long a lab may take to come up once its components are there.
const upDeadline = 5 * time.Minute

// Up brings the lab up, or joins it when it runs.
func (b *Backend) Up(ctx context.Context, opts cluster.Options, p progress.Reporter) (*cluster.Lab, error) {
	name, err := cluster.CheckName(opts.Name)
	if err != nil {
		return nil, err
	}
	if lab, err := joinOwn(ctx, name, p); lab != nil || err != nil {
		return lab, err
	}
	task := p.Start("Looking for Docker")
	found, err := docker.Find(ctx)
	choice := docker.Choose(found, err)
	task.Note("%s", choice.Reason)
	task.Done(choice.Err)
	if choice.Err != nil {
		return nil, choice.Err
	}
	chosen, err := components.Choose(ctx, componentOptions(opts), p)
	if err != nil {
		return nil, err
	}
	opts.Images = chosen.Images
	if !choice.Own && !components.PublishedImages(opts.Images) {
		if err := found.Here(ctx); err != nil {
			return nil, fmt.Errorf("bring up lab %s: %w (use --images registry, or unset DOCKER_HOST)", name, err)
		}
	}
	set, err := components.Ensure(ctx, componentOptions(opts), p)
	if err != nil {
		return nil, err
	}
	u := &upper{name: name, opts: opts, set: set, p: p}
	if choice.Own {
		return u.own(ctx)
	}
	return u.theirs(ctx, found)
}

// componentOptions name the parts that a lab is made of.
func componentOptions(opts cluster.Options) components.Options {
	return components.Options{Kind: true, Images: opts.Images, Istio: opts.Istio}.WithValues()
}

// An upper brings up one lab.
type upper struct {
	name  string
	opts  cluster.Options
	set   *components.Set
	p     progress.Reporter
	clock *progress.Stopwatch

	making bool // what carries the lab's label in another's Docker was made, or begun, by this call
}

// own brings the lab up in a Docker that is started for it. Until the lab is committed, Docker
// ends with this process.
func (u *upper) own(ctx context.Context) (*cluster.Lab, error) {
	prepared, err := u.prepare(ctx)
	if err != nil {
		return nil, err
	}
	hold, err := u.set.Hold()
	if err != nil {
		return nil, err
	}
	defer hold.Close()
	u.clock = progress.NewStopwatch()
	ctx, cancel := context.WithTimeout(ctx, upDeadline)
	defer cancel()
	d, err := docker.Start(ctx, u.name, docker.Options{Prepared: prepared, Held: []*os.File{hold}}, u.p)
	if err != nil {
		return nil, err
	}
	owner := d.Owner()
	if owner == nil {
		lab, err := joinOwn(ctx, u.name, u.p) // another process was faster
		return cluster.Joined(u.name, lab, err)
	}
	u.clock.Reached("Docker ready")
	watched, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go owner.Watch(watched, lost)
	keep := func(data []byte) (string, error) { return owner.Kubeconfig(watched, data) }
	lab, err := u.build(watched, d, keep)
	if err != nil {
		if cause := context.Cause(watched); ctx.Err() == nil && cause != nil {
			err = cause // the Docker that died, not the command that broke because of it
		}
		if !u.opts.Retain {
			owner.Abandon()
			return nil, err
		}
	}
	return lab, errors.Join(err, owner.Commit(u.clock.Timings))
}

// prepare returns the data of a Docker that has the node image. The cache's lock keeps a second
// preparation waiting.
func (u *upper) prepare(ctx context.Context) (string, error) {
	version, err := docker.DaemonVersion(ctx)
	if err != nil {
		return "", err
	}
	return u.set.DockerData(ctx, u.p, version, preparedRef, func(ctx context.Context, dir string,
		_ progress.Task) error {
		ctx, cancel := context.WithTimeout(ctx, upDeadline)
		defer cancel()
		return docker.Prepare(ctx, cluster.Bakery, dir, func(ctx context.Context, d *docker.Docker) error {
			return loadNode(ctx, d, u.set.Kind, preparedRef, nil)
		})
	})
}

// theirs brings the lab up in another's Docker, or joins the one that is there. A Docker that is
// restarted meanwhile is waited for, and the lab made anew, once. Another process that has the lab
// in hand is waited for as well: what it has half made looks like what was left half made.
func (u *upper) theirs(ctx context.Context, d *docker.Docker) (*cluster.Lab, error) {
	release, err := exclusive(ctx, u.name, u.p)
	if err != nil {
		return nil, err
	}
	defer release()
	u.clock = progress.NewStopwatch()
	for attempt := 1; ; attempt++ {
		lab, err := u.try(ctx, d)
		if err == nil || u.opts.Retain {
			return lab, err
		}
		u.clean(ctx, d)
		if ctx.Err() != nil || !docker.IsGone(err) || attempt > 1 {
			return nil, err
		}
		if err := await(ctx, d, u.p); err != nil {
			return nil, err
		}
		u.clean(ctx, d)
	}
}

// try joins or makes the lab. When Docker goes away meanwhile, that is its error.
func (u *upper) try(ctx context.Context, d *docker.Docker) (*cluster.Lab, error) {
	watched, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go d.Watch(watched, lost)
	lab, err := u.joinOrMake(watched, d)
	if cause := context.Cause(watched); err != nil && ctx.Err() == nil && cause != nil {
		return nil, cause
	}
	return lab, err
}

// clean removes what a failed attempt has made, also when it failed because ctx ended. A lab that
// it only tried to join stays as it is.
func (u *upper) clean(ctx context.Context, d *docker.Docker) {
	if !u.making {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := errors.Join(remove(ctx, d, u.name), forget(u.name))
	// A client that was killed may have left Docker with a request that it answers only now: it is
	// looked at once more.
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
		err = errors.Join(err, remove(ctx, d, u.name))
	}
	u.making = err != nil
	if err != nil && !docker.IsGone(err) {
		u.p.Say("could not remove what there was of lab %s: %v (lab down --backend kind removes it)", u.name, err)
	}
}

// await waits for a Docker that does not answer at the moment.
func await(ctx context.Context, d *docker.Docker, p progress.Reporter) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	task := p.Start("Waiting for Docker, which has stopped answering")
	err := d.Await(ctx)
	task.Done(err)
	if err != nil {
		return fault.Environmentf("wait for Docker: %w", err)
	}
	return nil
}

func (u *upper) joinOrMake(ctx context.Context, d *docker.Docker) (*cluster.Lab, error) {
	ctx, cancel := context.WithTimeout(ctx, upDeadline)
	defer cancel()
	all, err := containers(ctx, d, u.name)
	if err != nil {
		return nil, err
	}
	switch judge(u.name, all) {
	case foreign:
		return nil, refuse(u.name, all)
	case running, stopped:
		lab, err := u.join(ctx, d, all)
		if err == nil || ctx.Err() != nil || docker.IsGone(err) {
			return lab, err
		}
		if !errors.Is(err, errHalf) {
			return nil, fmt.Errorf("join lab %s: %w (%s)", u.name, err, adviseAnew(u.name))
		}
		u.p.Say("lab %s was not whole (%v): making it anew", u.name, err)
	}
	u.making = true
	if err := remove(ctx, d, u.name); err != nil {
		return nil, err
	}
	return u.build(ctx, d, func(data []byte) (string, error) { return keep(u.name, data) })
}

// build makes the cluster and takes it to the first answer through both sidecars. keep keeps the
// kubeconfig and returns its path.
func (u *upper) build(ctx context.Context, d *docker.Docker, keep func([]byte) (string, error)) (*cluster.Lab, error) {
	b := &builder{lab: u.name, docker: d, set: u.set, p: u.p}
	data, err := b.cluster(ctx)
	if err != nil {
		return nil, err
	}
	path, err := keep(data)
	if err != nil {
		return nil, err
	}
	u.clock.Reached("cluster created")
	if err := b.loadImages(ctx); err != nil {
		return nil, err
	}
	objects, err := workshop.Objects(u.set.Istio, u.set.Kind.Store != "")
	if err != nil {
		return nil, err
	}
	task := u.p.Start("Applying DNS, Istio and the workshop's Services")
	err = workshop.Apply(ctx, path, objects)
	task.Done(err)
	if err != nil {
		return nil, err
	}
	u.clock.Reached("objects applied")
	if err := workshop.Install(ctx, path, u.p, u.clock); err != nil {
		return nil, err
	}
	if !d.Ours {
		if err := markWhole(ctx, path, u.clock.Timings); err != nil {
			return nil, err
		}
	}
	return &cluster.Lab{Name: u.name, Backend: "kind", Kubeconfig: path, Timings: u.clock.Timings}, nil
}
