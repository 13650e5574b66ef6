package existing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
)

// removeDeadline bounds a removal. A namespace goes when everything in it has gone.
const removeDeadline = 2 * time.Minute

// A stage is a step of removal: what it removes is gone before the next one begins,
// or is not waited for.
type stage struct {
	kinds []string
	wait  bool
}

// stages: webhooks first, so that they stand in no other's way; then what runs, so that it makes
// nothing anew; then the rest, and at last what other objects live in.
var stages = []stage{
	{kinds: []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}},
	{kinds: []string{"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job", "Pod"}, wait: true},
	{},
	{kinds: []string{"Namespace", "CustomResourceDefinition"}, wait: true},
}

// stageOf is the index of the stage at which objects of a kind go.
func stageOf(kind string) int {
	for n, s := range stages {
		if slices.Contains(s.kinds, kind) {
			return n
		}
	}
	return slices.IndexFunc(stages, func(s stage) bool { return s.kinds == nil })
}

// remove removes everything that has the lab's label. It finds out what that is anew each time, so
// it can be called from any state.
func (s *site) remove(ctx context.Context, p progress.Reporter) error {
	return s.sweep(ctx, "Removing what lab "+s.lab+" has made in the cluster of context "+s.context, nil, p)
}

// takeBack removes what a failed installation has created.
func (i *installer) takeBack(ctx context.Context) error {
	if len(i.created) == 0 {
		return nil
	}
	return i.sweep(ctx, "Taking back what was made", i.created, i.progress)
}

// sweep looks for the lab's objects, all or only some, and removes them; the deadline is for both.
func (s *site) sweep(ctx context.Context, title string, only []cluster.Object, p progress.Reporter) error {
	ctx, cancel := context.WithTimeoutCause(ctx, removeDeadline,
		fault.Environmentf("not done within %s (call it again: it goes on)", removeDeadline))
	defer cancel()
	task := p.Start(title)
	found, err := s.ours(ctx)
	if only != nil {
		found = slices.DeleteFunc(found, func(o item) bool { return !slices.Contains(only, o.object()) })
	}
	if err == nil {
		task.Note("%d objects", len(found))
		err = s.removeAll(ctx, found, p)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = fault.Environmentf("%w: %w", context.Cause(ctx), err)
	}
	task.Done(err)
	return err
}

// removeAll removes items stage by stage.
func (s *site) removeAll(ctx context.Context, items []item, p progress.Reporter) error {
	withIstio := slices.ContainsFunc(items, func(i item) bool { return i.Labels[partLabel] == cluster.Istio })
	for n, stage := range stages {
		var now []item
		for _, i := range items {
			if stageOf(i.kind.name) == n {
				now = append(now, i)
			}
		}
		if stage.kinds == nil && withIstio {
			made, err := s.madeByIstiod(ctx)
			if err != nil {
				return err
			}
			now = append(now, made...)
		}
		if err := s.removeStage(ctx, now, stage.wait, p); err != nil {
			return err
		}
	}
	return nil
}

// removeStage removes items in parallel, each only while it is still the one that was found.
func (s *site) removeStage(ctx context.Context, items []item, wait bool, p progress.Reporter) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, i := range items {
		group.Go(func() error {
			if err := s.mayGo(ctx, i); errors.Is(err, errForeign) || errors.Is(err, errHidden) {
				p.Say("Kept %s: %v.", i.object(), err)
				return nil
			} else if err != nil {
				return err
			}
			uid, foreground := i.UID, metav1.DeletePropagationForeground
			err := s.metadata.Resource(i.GroupVersionResource).Namespace(i.Namespace).Delete(ctx, i.Name,
				metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &foreground})
			if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // gone, or another of the same name
				return nil
			}
			if err == nil && wait {
				err = kube.WaitGone(ctx, s.metadata.Resource(i.GroupVersionResource).Namespace(i.Namespace),
					i.Name, i.UID)
			}
			if err != nil {
				return fault.Environmentf("remove %s: %w", i.object(), err)
			}
			return nil
		})
	}
	return group.Wait()
}

// mayGo says whether an item can be removed without removing another's objects with it: errForeign
// when not, errHidden when it is unknown.
func (s *site) mayGo(ctx context.Context, i item) error {
	var inside view
	var err error
	switch i.kind.name {
	case "Namespace":
		inside, err = s.insideNamespace(ctx, i.Name)
	case "CustomResourceDefinition":
		inside, err = s.ofDefinition(ctx, i.Name)
	}
	switch {
	case err != nil:
		return err
	case len(inside.items) > 0:
		return fmt.Errorf("%w: %s%s", errForeign, inside.items[0].object(), andMore(len(inside.items)-1))
	case len(inside.hidden) > 0:
		return fmt.Errorf("%w: %s%s", errHidden, inside.hidden[0], andMore(len(inside.hidden)-1))
	}
	return nil
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// insideNamespace lists what others have put into a namespace: neither the lab, nor a controller.
// While an API group is silent, it is unknown what there is of its kinds.
func (s *site) insideNamespace(ctx context.Context, namespace string) (view, error) {
	kinds, silent, err := s.kinds()
	if err != nil {
		return view{}, err
	}
	return s.foreign(ctx, kinds, silent, namespace)
}

// ofDefinition lists others' objects of the kind that a definition of the lab's defines; its name
// is "resource.group".
func (s *site) ofDefinition(ctx context.Context, name string) (view, error) {
	kinds, silent, err := s.kinds()
	if err != nil {
		return view{}, err
	}
	_, group, _ := strings.Cut(name, ".")
	kinds = slices.DeleteFunc(kinds, func(k kind) bool { return k.Resource+"."+k.Group != name })
	maps.DeleteFunc(silent, func(g schema.GroupVersion, _ error) bool { return g.Group != group })
	return s.foreign(ctx, kinds, silent, "")
}

// foreign lists what the lab did not make. Silent API groups are hidden.
func (s *site) foreign(ctx context.Context, kinds []kind, silent map[schema.GroupVersion]error,
	namespace string) (view, error) {
	found, err := s.list(ctx, kinds, namespace, labLabel+"!="+s.lab)
	for g, reason := range silent {
		found.hidden = append(found.hidden, fmt.Sprintf("API group %s (%v)", g, reason))
	}
	slices.Sort(found.hidden)
	found.items = slices.DeleteFunc(found.items, func(i item) bool {
		return len(i.OwnerReferences) > 0 || !i.DeletionTimestamp.IsZero() || i.kind.name == "Lease" ||
			madeOnlyBy(i, controllers...) ||
			// every namespace gets one, and it holds nothing that anybody could own
			i.kind.name == "ServiceAccount" && i.Name == "default"
	})
	return found, err
}

// controllers are the field managers by which the cluster, and the istiod in it, sign what they
// make in every namespace by themselves.
var controllers = []string{"kube-controller-manager", "kube-apiserver", "kube-scheduler", "kubelet", istiodManager}

// istiodManager is how istiod signs; it is the name of its program.
const istiodManager = "pilot-discovery"

// madeOnlyBy says whether the given managers alone have ever written to an object.
func madeOnlyBy(i item, managers ...string) bool {
	for _, f := range i.ManagedFields {
		if !slices.Contains(managers, f.Manager) {
			return false
		}
	}
	return len(i.ManagedFields) > 0
}

// madeByIstiod lists what the lab's istiod has made by itself: the certificate of its authority in
// every namespace, its keys, and records of who leads. It is called when that istiod has gone;
// while another one is there, they are the other's.
func (s *site) madeByIstiod(ctx context.Context) ([]item, error) {
	if other, err := s.istiod(ctx); err != nil || other != nil {
		return nil, err
	}
	kinds, _, err := s.kinds()
	if err != nil {
		return nil, err
	}
	kinds = slices.DeleteFunc(kinds, func(k kind) bool {
		return !slices.Contains([]string{"ConfigMap", "Secret", "Lease"}, k.name)
	})
	found, err := s.list(ctx, kinds, "", "")
	return slices.DeleteFunc(found.items, func(i item) bool { return !madeOnlyBy(i, istiodManager) }), err
}
