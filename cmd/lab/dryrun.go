package main

import (
	"context"
	"fmt"
	"io"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/script"
)

const dryRunSchema = "flowproof.dev/dry-run/v1"

// dryRun is the JSON form of what --dry-run says.
type dryRun struct {
	Schema   string       `json:"schema"`
	Would    string       `json:"would"`              // in one line: "send netshoot.mark ➔ GET http://…"
	Watched  []string     `json:"watched,omitempty"`  // pods that instruments look at
	Touched  []flow.Touch `json:"touched"`            // what would be changed
	Refused  []string     `json:"refused,omitempty"`  // why it would not begin
	Programs []string     `json:"programs,omitempty"` // that a scenario runs itself: what they do is theirs
}

func (a *app) printDryRun(d dryRun) error {
	d.Schema = dryRunSchema
	if d.Touched == nil {
		d.Touched = []flow.Touch{}
	}
	return a.print(d, func(w io.Writer) error {
		fmt.Fprintf(w, "It would %s.\n", shown(a, d.Would))
		for _, pod := range d.Watched {
			fmt.Fprintf(w, "  look at   %s\n", pod)
		}
		for _, t := range d.Touched {
			where := t.Pod
			if where != "" {
				where += ": "
			}
			fmt.Fprintf(w, "  change    %s, %s%s\n", t.Kind, where, t.What)
		}
		if len(d.Touched) == 0 {
			fmt.Fprintln(w, "  change    nothing")
		}
		for _, p := range d.Programs {
			fmt.Fprintf(w, "  run       %s\n", shown(a, p))
		}
		for _, r := range d.Refused {
			fmt.Fprintf(w, "  but       %s\n", r)
		}
		return nil
	})
}

// dryTrace says what a trace would touch: it reads the cluster, and sends nothing.
func (a *app) dryTrace(ctx context.Context, lab runs.Lab, plan runs.Plan) error {
	preview, err := runs.Look(ctx, lab, plan)
	if err != nil {
		return err
	}
	call := plan.Call
	return a.printDryRun(dryRun{Would: fmt.Sprintf("send %s ➔ %s %s", runs.Caller(call), call.Method, call.URL),
		Watched: preview.Watched, Touched: preview.Touched, Refused: preview.Refused})
}

// dryScenario says what a scenario would touch in a cluster, from its text alone.
func (a *app) dryScenario(s *script.Scenario, lab *cluster.Lab, bounds *runs.Bounds) error {
	d := dryRun{Would: "run " + s.Name, Touched: s.Changes(), Programs: s.Programs()}
	if lab == nil && s.NeedsLab() {
		d.Would = "bring up lab " + a.name + ", and " + d.Would
	}
	if err := mayRun(s, bounds); err != nil {
		d.Refused = append(d.Refused, err.Error())
	}
	return a.printDryRun(d)
}

// dryUp says what `lab up` would make.
func (a *app) dryUp(ctx context.Context, backend cluster.Backend, opts cluster.Options) error {
	if b, ok := backend.(*existing.Backend); ok {
		opts.Name = a.name
		objects, err := b.Plan(ctx, opts)
		if err != nil {
			return err
		}
		return a.printDryRun(dryRun{Would: "use the cluster as it is", Touched: asTouches(objects, "")})
	}
	status, err := backend.Status(ctx, a.name)
	if err != nil {
		return err
	}
	if status.State == cluster.Running {
		return a.printDryRun(dryRun{Would: "join lab " + a.name + ", which runs"})
	}
	return a.printDryRun(dryRun{Would: "bring up lab " + a.name + " on this machine, in namespaces of its own",
		Touched: []flow.Touch{{Kind: flow.TouchObjects, What: "a cluster of its own: `lab down` removes all of it"}}})
}

// dryDown says what `lab down` would remove.
func (a *app) dryDown(ctx context.Context, backend cluster.Backend) error {
	status, err := backend.Status(ctx, a.name)
	if err != nil {
		return err
	}
	d := dryRun{Would: "take lab " + a.name + " down", Touched: asTouches(status.Objects, "deleted")}
	if backend.Name() != existing.Name && status.State != cluster.Absent {
		d.Touched = append(d.Touched,
			flow.Touch{Kind: flow.TouchObjects, What: "the whole lab: processes, mounts, interfaces, kubeconfig"})
	}
	return a.printDryRun(d)
}

// dryReset says which leases `lab reset` would put right, and which it would leave.
func (a *app) dryReset(ctx context.Context, m *mesh.Mesh) error {
	left, held, err := m.Leases(ctx)
	if err != nil {
		return err
	}
	d := dryRun{Would: "put right what dead commands left"}
	for _, l := range left {
		d.Touched = append(d.Touched, flow.Touch{Kind: flow.TouchLogLevel, Pod: l.Pod,
			What: "back to " + l.Levels.Summary() + "; " + l.Holder.String() + " is gone"})
	}
	for _, l := range held {
		d.Refused = append(d.Refused, fmt.Sprintf("%s is left: %s holds it", l.Pod, l.Holder))
	}
	return a.printDryRun(d)
}

func asTouches(objects []cluster.Object, end string) []flow.Touch {
	touches := []flow.Touch{}
	for _, o := range objects {
		what := fmt.Sprintf("%s (%s)", o, o.Part)
		if end != "" {
			what += " " + end
		}
		touches = append(touches, flow.Touch{Kind: flow.TouchObjects, What: what})
	}
	return touches
}
