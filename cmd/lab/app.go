package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/redact"
	"github.com/flowproof/lab/internal/screen"
	"github.com/flowproof/lab/internal/trust"
	"github.com/flowproof/lab/internal/undo"
)

// Streams are what a verb reads and writes: results on Out, progress and errors on Err.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// app is what all verbs share: the streams and the global flags.
type app struct {
	Streams
	backendName string
	name        string
	kubeconfig  string
	context     string
	output      string
	quiet       bool
	showSecrets bool
	color       string
	wide        bool
	ascii       bool
	maxDump     byteSize
	toldCluster bool // that the cluster is $KUBECONFIG's
}

// Main runs the command with this process's streams and returns its exit code. The first
// SIGINT or SIGTERM cancels what is running, which then undoes what it changed; the second
// ends the process at once.
func Main(args []string) int {
	if err := errors.Join(trust.SettleHome(), trust.SettlePath()); err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		return exit.Environment
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from then on a signal does what it does by default
	return Run(ctx, args, Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// Run runs the command with the given arguments, without the program's name, and
// returns its exit code.
func Run(ctx context.Context, args []string, streams Streams) int {
	out, errs := screen.New(streams.Out), screen.New(streams.Err)
	defer func() { _, _ = out.Flush(), errs.Flush() }()
	a := &app{Streams: Streams{In: streams.In, Out: out, Err: errs}}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(context.WithValue(ctx, appKey{}, a))
	code := exit.Code(err)
	if err != nil && ctx.Err() != nil {
		code = exit.Interrupted // it broke because it was interrupted
	}
	if silent := (silentError{}); err != nil && !errors.As(err, &silent) {
		if code == exit.Interrupted {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(errs, "lab: %s\n", a.sentence(err))
	}
	return code
}

// sentence is an error as it is shown. What follows its first line is indented, so that no line of
// it, from any writer, can be taken for one of lab's own.
func (a *app) sentence(err error) string {
	const lead = len("lab: ")
	lines := strings.Split(shown(a, err.Error()), "\n")
	if columns := screen.Width(a.Err); columns > 2*lead {
		var folded []string
		for _, line := range lines {
			folded = append(folded, screen.Wrap(line, columns-lead)...)
		}
		lines = folded
	}
	return strings.Join(lines, "\n  ")
}

// shown is a value as it is shown: without its secrets, unless --show-secrets was typed.
func shown[T any](a *app, value T) T {
	if a.showSecrets {
		return value
	}
	return redact.Value(value)
}

// A silentError ends the command with the code of its cause without a message:
// everything has been said.
type silentError struct{ cause error }

func (e silentError) Error() string { return e.cause.Error() }
func (e silentError) Unwrap() error { return e.cause }

type appKey struct{}

// appOf gives a verb what it shares with the others.
func appOf(cmd *cobra.Command) *app { return cmd.Context().Value(appKey{}).(*app) }

// json says whether the result is wanted as JSON.
func (a *app) json() bool { return a.output == "json" }

// print writes a result: as indented JSON of value with -o json, else by calling text.
func (a *app) print(value any, text func(io.Writer) error) error {
	if !a.json() {
		return text(a.Out)
	}
	encoder := json.NewEncoder(a.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(shown(a, value))
}

// table is print for text in rows: what is wider than the terminal goes on below its own column.
func (a *app) table(value any, text func(io.Writer) error) error {
	return a.print(value, func(w io.Writer) error {
		var rows strings.Builder
		if err := text(&rows); err != nil {
			return err
		}
		return screen.WriteHung(w, rows.String(), screen.Width(w))
	})
}

// reporter says progress on Err, or nothing with -q.
func (a *app) reporter() progress.Reporter {
	if a.quiet {
		return progress.Quiet
	}
	return newReporter(a.Err)
}

// lab is the lab that --name and --backend, or --kubeconfig and --context, name. It
// has to run already.
func (a *app) lab(ctx context.Context) (cluster.Backend, *cluster.Lab, error) {
	backend, err := a.backend()
	if err != nil {
		return nil, nil, err
	}
	status, err := backend.Status(ctx, a.name)
	if err != nil {
		return nil, nil, err
	}
	if status.State != cluster.Running {
		why := status.State
		if status.Reason != "" {
			why += ": " + status.Reason
		}
		return nil, nil, fault.Environmentf("reach lab %s: it is %s (bring it up with `lab up`, or name a cluster "+
			"with --kubeconfig)", status.Name, why)
	}
	return backend, labOf(status), nil
}

// labOf is a lab that runs, by its status.
func labOf(status cluster.Status) *cluster.Lab {
	return &cluster.Lab{Name: status.Name, Backend: status.Backend, Kubeconfig: status.Kubeconfig,
		Context: status.Context, Joined: true, Objects: status.Objects}
}

// mesh connects to the lab.
func (a *app) mesh(ctx context.Context) (*mesh.Mesh, error) {
	_, lab, err := a.lab(ctx)
	if err != nil {
		return nil, err
	}
	return a.connect(lab)
}

// connect connects to a lab. Pods that are named without a namespace are the workshop's where the
// lab has brought it; else they are of the context's own namespace.
func (a *app) connect(lab *cluster.Lab) (*mesh.Mesh, error) {
	m, err := mesh.ConnectContext(lab.Kubeconfig, lab.Context)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(lab.Objects, func(o cluster.Object) bool { return o.Part == cluster.Workshop }) {
		m = m.In(mesh.Workshop)
	}
	return a.limited(m), nil
}

// forScripts is a lab as requests are sent in it.
func forScripts(backend cluster.Backend, lab *cluster.Lab, m *mesh.Mesh, bounds *runs.Bounds) runs.Lab {
	l := runs.Lab{Mesh: runs.Of(m), Backend: backend, Cluster: lab, Bounds: bounds}
	if self, err := os.Executable(); err == nil {
		l.Guard = []string{self, undo.Verb}
	}
	return l
}

// colours are what --color can be.
var colours = []string{"auto", "always", "never"}

// setColours does what --color says; auto leaves it to the terminal and the environment.
func (a *app) setColours() error {
	switch a.color {
	case "auto", "":
	case "always", "never":
		screen.SetColours(a.Out, a.color == "always")
		screen.SetColours(a.Err, a.color == "always")
	default:
		return fault.Usagef("read command line: --color %q is none of %s", a.color, strings.Join(colours, ", "))
	}
	return nil
}

// widest is more columns than any line of a report has.
const widest = 1 << 16

// setScreen does what --ascii and --wide say.
func (a *app) setScreen() {
	if a.wide {
		screen.SetWidth(a.Out, widest)
	}
	if a.ascii {
		screen.SetASCII(a.Out)
		screen.SetASCII(a.Err)
	}
}

// reportWidth is how many columns a report takes; 0: as it likes.
func (a *app) reportWidth() int { return screen.Width(a.Out) }
