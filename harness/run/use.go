package run

import (
	"context"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

// mayEnd says whether a pool's connections may be ended: it was asked for where the cluster is not
// the lab's own, and no request is on them, unless it is forced. A request that begins between the
// look and the end is still lost.
func (s *Session) mayEnd(ctx context.Context, p Pool, connections int) error {
	if err := s.May(flow.TouchConnections, "end %s of %s", plural(connections, "connection"), p.What); err != nil {
		return err
	}
	if s.Force {
		return nil
	}
	if w, err := s.watch(ctx, p.Pod); err != nil || !w.HasSidecar() {
		return err // without an Envoy there is no pool, and no request in it
	}
	sidecar, err := s.Sidecar(ctx, p.Pod)
	if err != nil {
		return err
	}
	active, began, err := sidecar.InUse(ctx, p.Remote.String())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fault.Environmentf("end %s of %s: %w: whether requests are on them cannot be told: %w (leave them: "+
			"--warm; or end them all the same: --force)",
			plural(connections, "connection"), p.What, ErrMayNotKill, err)
	}
	if active > 0 || began > 0 {
		return fault.Environmentf("end %s of %s to %s: %w: %d under way, %d more began while it was looked (leave "+
			"them: --warm; or end them all the same: --force)",
			plural(connections, "connection"), p.What, p.Remote, ErrInUse, active, began)
	}
	return nil
}

// reads are what the session's sidecars were asked for, by pod.
func (s *Session) reads() []flow.Read {
	var all []flow.Read
	for _, pod := range sortedKeys(s.sidecars) {
		for _, r := range s.sidecars[pod].Reads() {
			all = append(all, flow.Read{Pod: pod, Path: r.Path, Bytes: r.Bytes, Seconds: r.Took.Seconds()})
		}
	}
	return all
}
