package run

import (
	"context"
	"net/netip"
	"slices"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/trace/capture"
)

// A Plan is one request and how it is watched.
type Plan struct {
	Call flow.Call // what is sent; its request id is made where it has none
	// Curl are more arguments of curl's. Told is the call with what they say of it, for inference;
	// its URL is empty where they say nothing.
	Curl []string
	Told flow.Call
	// Keep leaves pooled connections as they are, and nothing is said about them. Otherwise
	// they are ended first.
	Keep bool
	// Cold was asked for by its name: where a pool has requests in flight the run is refused, and
	// goes on with it otherwise.
	Cold bool
	// Force ends connections that are in use too, with the requests on them.
	Force bool
	// Without are instruments that do not look. All others do, at every pod that is watched.
	Without []flow.Instrument
	// Unasked says that log levels are left because raising them was not asked for; the run then
	// notes what that costs.
	Unasked bool
	Body    int             // how many bytes of the answer's body the result has; 0: none
	Trace   capture.Options // how eBPF watches; its Pods follow from what is watched
	Watched []string        // pods to watch beside those that the cluster names
}

// few is up to how many pods with a sidecar all of a namespace are watched, for any URL.
const few = 6

// most is how many pods are watched at all.
const most = 12

// A Scene is what a plan comes to in a cluster: it follows from the request and what the apiserver
// says, and from no sidecar.
type Scene struct {
	Client  string      // "pod.namespace" of the sender
	Behind  mesh.Behind // who is behind the URL
	Watched []string    // every pod that instruments look at, the client first
	Dumped  []string    // those of them with a sidecar
}

// Scene finds which pods are watched: the client, all pods behind the URL, and where the namespaces
// of these have few pods with a sidecar, all of them, because a route may lead to any.
func (s *Session) Scene(ctx context.Context, plan Plan) (Scene, error) {
	call := plan.Call
	scene := Scene{Client: Caller(call)}
	var err error
	if scene.Behind, err = s.Behind(ctx, call); err != nil {
		return scene, err
	}
	if err := s.checkTarget(ctx, plan, scene.Behind); err != nil {
		return scene, err
	}
	if scene.Behind.NodePort && scene.Behind.Service != "" {
		service, err := s.Lab.Mesh.Service(ctx, scene.Behind.Service)
		if err != nil {
			return scene, err
		}
		s.AddService(service)
	}
	refs := append([]string{scene.Client}, scene.Behind.Pods...)
	for _, ref := range plan.Watched {
		refs = append(refs, s.FullName(ref))
	}
	namespaces := map[string]bool{}
	for _, ref := range refs {
		_, namespace := mesh.SplitRef(ref, "")
		namespaces[namespace] = true
	}
	for _, namespace := range sortedKeys(namespaces) {
		all, err := s.Lab.Mesh.WithSidecar(ctx, namespace)
		if err != nil {
			return scene, err
		}
		if len(all) <= few {
			refs = append(refs, all...)
		}
	}
	for _, ref := range refs {
		if slices.Contains(scene.Watched, ref) {
			continue
		}
		if len(scene.Watched) == most {
			s.note("%s is not watched: %d pods are, and no more", ref, most)
			continue
		}
		scene.Watched = append(scene.Watched, ref)
		w, err := s.watch(ctx, ref)
		if err != nil {
			return scene, err
		}
		if w.HasSidecar() && (ref != scene.Client || captured(call)) {
			scene.Dumped = append(scene.Dumped, ref)
		}
	}
	return scene, nil
}

// pools are the pools on the way to every pod behind the URL.
func (s *Session) pools(ctx context.Context, scene Scene, call flow.Call) ([]Pool, error) {
	var all []Pool
	for _, ref := range scene.Watched {
		if ref == scene.Client {
			continue
		}
		port := scene.Behind.Port
		if port == 0 {
			if _, asked, err := endOf(call); err == nil {
				port = asked
			}
		}
		target, err := s.addressAt(ctx, ref, port)
		if err != nil {
			return nil, err
		}
		all = append(all, poolsTo(scene.Client, ref, target, captured(call))...)
	}
	return all, nil
}

func poolsTo(client, server string, target netip.AddrPort, captured bool) []Pool {
	if !captured {
		client = ""
	}
	return Pools(client, server, target)
}

// changes says whether anything in a sidecar is changed beside what the request itself does: its
// pools or its log levels.
func (p Plan) changes() bool { return !p.Keep || !p.without(flow.EnvoyLog) }

func (p Plan) without(name flow.Instrument) bool { return slices.Contains(p.Without, name) }

// check refuses a plan that makes no sense, or would change what it may not.
func (p Plan) check(bounds *Bounds) error {
	if !p.Keep {
		if err := bounds.May(flow.TouchConnections, "end the connections on the way"); err != nil {
			return err
		}
	}
	if !slices.Contains(p.Without, flow.EnvoyLog) {
		if err := bounds.May(flow.TouchLogLevel, "raise log levels"); err != nil {
			return err
		}
	}
	if p.Call.URL == "" || p.Call.From == "" {
		return fault.Usagef("plan a request: it has no sender or no URL")
	}
	if _, err := curl.Send(p.Call, 1, p.Curl...); err != nil {
		return fault.Usagef("%w", err)
	}
	return nil
}
