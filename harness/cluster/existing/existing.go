// Package existing is a cluster that was there before the lab: any context of any kubeconfig. The
// lab uses what it finds and installs only what it is told to. Each object that it makes has a
// label with the lab's name, so that taking the lab down needs no memory of how it came up, and
// touches nothing else.
package existing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/trust"
)

// Name is what --backend calls it.
const Name = "existing"

// A Target says which cluster, as kubectl's flags do. What is empty is found as kubectl finds it:
// the variable KUBECONFIG, then ~/.kube/config, and the current context.
type Target struct {
	Kubeconfig string // path
	Context    string
}

// Backend is the cluster.Backend of a cluster that was there before.
type Backend struct{ target Target }

// New returns the backend for a cluster. It reads nothing yet.
func New(target Target) *Backend { return &Backend{target: target} }

var _ cluster.Backend = (*Backend)(nil)

// Name is what --backend calls it.
func (*Backend) Name() string { return Name }

// Up joins the cluster and puts the parts of opts.Install into it, as far as the lab has not done
// so before. When ctx ends, or something fails, what this call has made is taken back.
func (b *Backend) Up(ctx context.Context, opts cluster.Options, p progress.Reporter) (*cluster.Lab, error) {
	name, err := cluster.CheckName(opts.Name)
	if err != nil {
		return nil, err
	}
	if opts.Fresh {
		return nil, fault.Usagef("bring up lab %s: --fresh is for a cluster of the lab's own", name)
	}
	if err := checkParts(opts.Install); err != nil {
		return nil, err
	}
	s, err := b.connect(ctx, name)
	if err != nil {
		return nil, err
	}
	clock := progress.NewStopwatch()
	made := false
	if len(opts.Install) > 0 {
		if made, err = s.install(ctx, opts, p, clock); err != nil {
			return nil, err
		}
	}
	lab := &cluster.Lab{Name: name, Backend: Name, Kubeconfig: s.kubeconfig, Context: s.context, Joined: !made,
		Timings: clock.Timings}
	lab.Objects, err = s.objects(ctx)
	return lab, err
}

// Down removes every object that the lab has made, by its label.
func (b *Backend) Down(ctx context.Context, name string, p progress.Reporter) error {
	name, err := cluster.CheckName(name)
	if err != nil {
		return err
	}
	s, err := b.connect(ctx, name)
	if err != nil {
		return err
	}
	return s.remove(ctx, p)
}

// Status says whether the cluster answers, and what the lab has put into it.
func (b *Backend) Status(ctx context.Context, name string) (cluster.Status, error) {
	name, err := cluster.CheckName(name)
	if err != nil {
		return cluster.Status{}, err
	}
	status := cluster.Status{Schema: cluster.StatusSchema, Name: name, Backend: Name, State: cluster.Running}
	s, err := b.site(name)
	if err != nil {
		return status, err
	}
	status.Kubeconfig, status.Context = s.kubeconfig, s.context
	if err := s.reach(ctx); err != nil {
		status.State, status.Reason = cluster.Broken, err.Error()
		return status, nil
	}
	status.Objects, err = s.objects(ctx)
	return status, err
}

// Processes finds a container's processes on this host, when it is the pod's node or
// has the node in it.
func (b *Backend) Processes(ctx context.Context, lab *cluster.Lab, namespace, pod, container string) ([]int, error) {
	return process.Of(ctx, lab, namespace, pod, container)
}

// connect prepares the cluster for use and makes sure that it answers.
func (b *Backend) connect(ctx context.Context, name string) (*site, error) {
	s, err := b.site(name)
	if err != nil {
		return nil, err
	}
	return s, s.reach(ctx)
}

// site reads the kubeconfig.
func (b *Backend) site(name string) (*site, error) {
	kubeconfig, context, err := b.target.resolve()
	if err != nil {
		return nil, err
	}
	config, err := kube.ContextConfig(kubeconfig, context)
	if err != nil {
		return nil, fault.Environmentf("%w", err)
	}
	return newSite(name, kubeconfig, context, config)
}

// resolve finds the kubeconfig's absolute path, or paths, and the name of the context. A context
// that is not there is bad input.
func (t Target) resolve() (kubeconfig, context string, err error) {
	files := []string{t.Kubeconfig}
	if t.Kubeconfig == "" {
		files = clientcmd.NewDefaultClientConfigLoadingRules().GetLoadingPrecedence()
	}
	var found []string
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil && t.Kubeconfig != "" {
			return "", "", fault.Environmentf("read kubeconfig: %w (give the path of the cluster's own)", err)
		}
		if err == nil && t.Kubeconfig == "" {
			if err := checkFound(path); err != nil {
				return "", "", err
			}
		}
		if err == nil && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return "", "", fault.Environmentf("find a cluster: there is no kubeconfig at %s (give --kubeconfig FILE)",
			strings.Join(files, ", "))
	}
	kubeconfig = strings.Join(found, string(filepath.ListSeparator))
	raw, err := kube.ClientConfig(kubeconfig, "").RawConfig()
	if err != nil {
		return "", "", fault.Environmentf("read kubeconfig %s: %w", kubeconfig, err)
	}
	context = t.Context
	if context == "" {
		context = raw.CurrentContext
	}
	if raw.Contexts[context] == nil {
		return "", "", noContext(kubeconfig, context, slices.Sorted(maps.Keys(raw.Contexts)))
	}
	return kubeconfig, context, nil
}

// checkFound refuses, for root, a kubeconfig that others can write and that is only found where a
// variable leads, HOME or KUBECONFIG: it may name programs, which would run as root, and files,
// which root can read. After sudo such a variable is often another user's.
func checkFound(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := trust.Path(path); err != nil {
		return fault.Environmentf("use kubeconfig %s as root: %w (name it with --kubeconfig if its programs may run "+
			"as root)", path, err)
	}
	return nil
}

func noContext(kubeconfig, context string, there []string) error {
	switch {
	case len(there) == 0:
		return fault.Usagef("read kubeconfig %s: there is no context in it", kubeconfig)
	case context == "":
		return fault.Usagef("read kubeconfig %s: it has no current context (give --context, there are: %s)", kubeconfig,
			strings.Join(there, ", "))
	}
	return fault.Usagef("choose context %q: kubeconfig %s has none of that name (there are: %s)", context, kubeconfig,
		strings.Join(there, ", "))
}

// Contexts names the contexts that could be chosen, for completion.
func (b *Backend) Contexts() ([]string, error) {
	kubeconfig, _, err := Target{Kubeconfig: b.target.Kubeconfig}.resolve()
	if err != nil && kubeconfig == "" {
		return nil, fmt.Errorf("list contexts: %w", err)
	}
	raw, err := kube.ClientConfig(kubeconfig, "").RawConfig()
	return slices.Sorted(maps.Keys(raw.Contexts)), err
}

// Why something of the lab stays: another's objects are in it, or may be.
var (
	errForeign = errors.New("it holds what this lab did not make")
	errHidden  = errors.New("what is in it cannot be listed")
)
