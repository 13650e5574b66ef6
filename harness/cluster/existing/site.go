package existing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
)

// The labels of every object that a lab makes in a cluster which was there before.
const (
	labLabel  = "flowproof.dev/lab"  // name of the lab
	partLabel = "flowproof.dev/part" // cluster.Istio or cluster.Workshop
)

// reachTimeout bounds how long a cluster may take for its first answer.
const reachTimeout = 15 * time.Second

// A site is one lab's view of the cluster.
type site struct {
	lab                 string
	kubeconfig, context string
	config              *rest.Config
	client              kubernetes.Interface
	metadata            metadata.Interface
}

func newSite(lab, kubeconfig, context string, config *rest.Config) (*site, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fault.Environmentf("read kubeconfig %s: %w", kubeconfig, err)
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fault.Environmentf("read kubeconfig %s: %w", kubeconfig, err)
	}
	return &site{lab: lab, kubeconfig: kubeconfig, context: context, config: config, client: client,
		metadata: meta}, nil
}

// reach makes sure that the cluster answers.
func (s *site) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	err := s.client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error()
	if err != nil {
		return fault.Environmentf("reach the cluster of context %s: %w (does `kubectl --kubeconfig %s --context %s "+
			"version` answer?)",
			s.context, err, s.kubeconfig, s.context)
	}
	return nil
}

// A kind is one resource of the cluster's.
type kind struct {
	schema.GroupVersionResource
	name       string // Pod
	namespaced bool
}

// derived are resources whose objects the cluster makes from others, labels included,
// and removes with them.
var derived = []string{"endpoints", "endpointslices", "events", "podmetrics", "nodemetrics"}

// A view is what can be seen of the objects of some kinds, and what cannot: to look for what the
// lab made itself, the former is enough; to prove that there is nothing else, it is not.
type view struct {
	items  []item
	hidden []string // resources and API groups whose objects cannot be listed, each with the reason
}

// kinds lists every resource whose objects can be listed and deleted. An API group that does not
// answer, such as that of a metrics server which is down, is in silent with its reason instead; one
// that has gone meanwhile is in neither.
func (s *site) kinds() (all []kind, silent map[schema.GroupVersion]error, err error) {
	lists, err := s.client.Discovery().ServerPreferredResources()
	silent, failed := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !failed {
		return nil, nil, fault.Environmentf("list the cluster's kinds of objects: %w", err)
	}
	maps.DeleteFunc(silent, func(_ schema.GroupVersion, err error) bool { return apierrors.IsNotFound(err) })
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") || slices.Contains(derived, r.Name) ||
				!slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "delete") {
				continue
			}
			all = append(all, kind{group.WithResource(r.Name), r.Kind, r.Namespaced})
		}
	}
	return all, silent, nil
}

// An item is an object with what is needed to delete it.
type item struct {
	kind
	metav1.PartialObjectMetadata
}

func (i item) object() cluster.Object {
	return cluster.Object{Kind: i.kind.name, Namespace: i.Namespace, Name: i.Name, Part: i.Labels[partLabel]}
}

// list returns the objects of the given kinds, in a namespace or in all. A kind
// that is gone has none.
func (s *site) list(ctx context.Context, kinds []kind, namespace, selector string) (view, error) {
	var mu sync.Mutex
	var seen view
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, k := range kinds {
		if namespace != "" && !k.namespaced {
			continue
		}
		group.Go(func() error {
			found, err := s.metadata.Resource(k.GroupVersionResource).Namespace(namespace).List(ctx,
				metav1.ListOptions{LabelSelector: selector})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case apierrors.IsNotFound(err):
				return nil
			case apierrors.IsForbidden(err), apierrors.IsMethodNotSupported(err):
				seen.hidden = append(seen.hidden,
					fmt.Sprintf("%s (%s)", k.GroupResource(), strings.ToLower(string(apierrors.ReasonForError(err)))))
				return nil
			case err != nil:
				return fault.Environmentf("list %s: %w", k.Resource, err)
			}
			for _, o := range found.Items {
				seen.items = append(seen.items, item{k, o})
			}
			return nil
		})
	}
	err := group.Wait()
	slices.SortFunc(seen.items, func(a, b item) int {
		return strings.Compare(a.object().String(), b.object().String())
	})
	slices.Sort(seen.hidden)
	return seen, err
}

// ours returns every object that the lab has made. It is content with what can be listed.
func (s *site) ours(ctx context.Context) ([]item, error) {
	kinds, _, err := s.kinds()
	if err != nil {
		return nil, err
	}
	found, err := s.list(ctx, kinds, "", labLabel+"="+s.lab)
	// A controller that copies an object's labels to what it makes for it says so
	// by an owner reference.
	return slices.DeleteFunc(found.items, func(i item) bool { return len(i.OwnerReferences) > 0 }), err
}

func (s *site) objects(ctx context.Context) ([]cluster.Object, error) {
	found, err := s.ours(ctx)
	if err != nil {
		return nil, fmt.Errorf("list what lab %s has made: %w", s.lab, err)
	}
	objects := make([]cluster.Object, 0, len(found))
	for _, i := range found {
		objects = append(objects, i.object())
	}
	return objects, nil
}
