package existing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/internal/workshop"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
)

// installDeadline bounds the whole of an installation; on an existing cluster images may have to be
// pulled.
const installDeadline = 6 * time.Minute

// Parts are what can be installed.
var Parts = []string{cluster.Istio, cluster.Workshop}

func checkParts(parts []string) error {
	for _, part := range parts {
		if !slices.Contains(Parts, part) {
			return fault.Usagef("install %q: there is no such part (there are: %s)", part, strings.Join(Parts, ", "))
		}
	}
	return nil
}

// An installer puts parts into the cluster and remembers what it made.
type installer struct {
	*site
	progress progress.Reporter
	clock    *progress.Stopwatch
	mu       sync.Mutex
	created  []cluster.Object // or about to be
}

// install puts the wanted parts into the cluster. made says whether anything was missing. What a
// failed call has created is deleted again, unless opts.Retain.
func (s *site) install(ctx context.Context, opts cluster.Options, p progress.Reporter,
	clock *progress.Stopwatch) (made bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, installDeadline,
		fault.Environmentf("not done within %s", installDeadline))
	defer cancel()
	i := &installer{site: s, progress: p, clock: clock}
	err = i.parts(ctx, opts)
	if err != nil && !opts.Retain {
		err = errors.Join(err, i.takeBack(context.WithoutCancel(ctx)))
	}
	return len(i.created) > 0, err
}

// parts plans everything before the first object is made, so that a conflict costs nothing.
func (i *installer) parts(ctx context.Context, opts cluster.Options) error {
	plan, err := i.plan(ctx, opts)
	if err != nil {
		return err
	}
	if err := i.conflicts(ctx, slices.Concat(plan.istio, plan.services, plan.pods)); err != nil {
		return err
	}
	if plan.istio != nil {
		if err := i.step("Installing Istio", "Istio installed", func() error {
			return errors.Join(i.ensureAll(ctx, plan.istio), kube.WaitEstablished(ctx, i.config))
		}); err != nil {
			return err
		}
	}
	if plan.pods == nil {
		return i.step("Waiting for istiod", "istiod ready", func() error {
			namespace, name, _ := strings.Cut(plan.istiod, "/")
			return kube.WaitDeploymentReady(ctx, i.client, namespace, name)
		})
	}
	if err := i.step("Creating the workshop's Services", "Services created", func() error {
		return i.ensureAll(ctx, plan.services)
	}); err != nil {
		return err
	}
	create := func(ctx context.Context) error { return i.ensureAll(ctx, plan.pods) }
	return workshop.InstallOn(ctx, workshop.Site{Kubeconfig: i.kubeconfig, Context: i.context, Istiod: plan.istiod,
		Create: create}, i.progress, i.clock)
}

func (i *installer) step(title, stage string, work func() error) error {
	task := i.progress.Start(title)
	err := work()
	task.Done(err)
	if err == nil {
		i.clock.Reached(stage)
	}
	return err
}

// shared are kinds of which one that is there already is used as it is, and stays
// when the lab goes.
func shared(o *unstructured.Unstructured) bool {
	return o.GetKind() == "Namespace" || o.GetKind() == "CustomResourceDefinition"
}

// conflicts refuses to go on where an object that is to be made is another's already.
func (i *installer) conflicts(ctx context.Context, objects []*unstructured.Unstructured) error {
	var taken []string
	var mu sync.Mutex
	err := kube.InOrder(ctx, objects, func(ctx context.Context, o *unstructured.Unstructured) error {
		there, err := kube.Find(ctx, i.config, o)
		if err != nil || there == nil || shared(o) || there.GetLabels()[labLabel] == i.lab {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		taken = append(taken, describe(o))
		return nil
	})
	if err != nil || len(taken) == 0 {
		return err
	}
	slices.Sort(taken)
	const most = 4
	more := ""
	if len(taken) > most {
		more = fmt.Sprintf(" and %d more", len(taken)-most)
	}
	return fault.Environmentf("install: %s%s are there already, and this lab did not make them (leave the part out of "+
		"--install to use them, or remove them)",
		strings.Join(taken[:min(most, len(taken))], ", "), more)
}

func describe(o *unstructured.Unstructured) string {
	return cluster.Object{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}.String()
}

// ensureAll makes what is missing, in an order in which it can be made.
func (i *installer) ensureAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	return kube.InOrder(ctx, objects, i.ensure)
}

// ensure makes an object when there is none, and renews one of the lab's own by applying it on the
// server side. An object that does not exist is created rather than applied: one that another makes
// at this very moment is not changed.
func (i *installer) ensure(ctx context.Context, o *unstructured.Unstructured) error {
	there, err := kube.Find(ctx, i.config, o)
	switch {
	case err != nil:
		return err
	case there == nil:
		i.note(o)
		err := kube.Create(ctx, i.config, o.DeepCopy())
		switch {
		case apierrors.IsAlreadyExists(err):
			i.forget(o) // its maker may be another run of this lab, so that it has this lab's label
			return i.overtaken(o)
		case err != nil:
			return fault.Environmentf("install: %w", err)
		}
		return nil
	case there.GetLabels()[labLabel] != i.lab:
		return i.overtaken(o)
	case o.GetKind() == "Pod":
		return nil // hardly anything of a pod can be changed
	}
	return kube.ApplyObject(ctx, i.config, o.DeepCopy())
}

// note remembers an object before it is made: when the call breaks off, it is unknown whether the
// server has done it.
func (i *installer) note(o *unstructured.Unstructured) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.created = append(i.created, noted(o))
}

// forget takes a note back: another was first.
func (i *installer) forget(o *unstructured.Unstructured) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.created = slices.DeleteFunc(i.created, func(made cluster.Object) bool { return made == noted(o) })
}

func noted(o *unstructured.Unstructured) cluster.Object {
	return cluster.Object{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(),
		Part: o.GetLabels()[partLabel]}
}

// overtaken is the error for an object that another has made since the plan; one of a shared kind
// is used as it is.
func (*installer) overtaken(o *unstructured.Unstructured) error {
	if shared(o) {
		return nil
	}
	return fault.Environmentf("install: %s was made by another meanwhile (run it again)", describe(o))
}
