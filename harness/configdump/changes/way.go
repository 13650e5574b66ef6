package changes

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// A way is what one proxy decided about a request, and what two dumps of the proxy say of it.
type way struct {
	before, after *configdump.Dump
	hops          []flow.Hop // of the proxy
	call          flow.Call
	destination   netip.AddrPort // that the connection was dialled to; not valid when unknown
	// the listener that netfilter redirects to hands the connection on to its destination's
	restores bool
	// the dump after the request is of another process
	restarted bool

	seen     map[string]bool // resources that were compared
	queue    []reference     // resources that others refer to, and that are not compared yet
	compared int
	changes  []flow.Change
	err      error
}

// A reference is a resource by its kind and name.
type reference struct {
	kind configdump.Kind
	name string
}

func wayThrough(before, after *configdump.Dump, path flow.Path) *way {
	w := &way{before: before, after: after, call: path.Call, seen: map[string]bool{}}
	proxy := before.Node().Proxy()
	for _, hop := range path.Hops {
		if hop.Proxy != proxy {
			continue
		}
		w.hops = append(w.hops, hop)
		for _, fact := range hop.Expect {
			if fact.Name == flow.FactOriginalDst {
				w.destination, _ = netip.ParseAddrPort(fact.Value)
			}
		}
	}
	w.restores = w.handsOn()
	return w
}

// compare compares everything on the way: the bootstrap, the listeners that could take the
// connection, the chain, the routes, the clusters, and what these refer to by name.
func (w *way) compare() {
	w.compared++
	w.diff("bootstrap", whole(w.before.Bootstrap()), whole(w.after.Bootstrap()))
	w.restart()
	w.listeners()
	w.scopes()
	for _, hop := range w.hops {
		w.table(hop)
		for _, fact := range hop.Expect {
			switch fact.Name {
			case flow.FactCluster:
				w.refer(configdump.Cluster, fact.Value)
			case flow.FactRouteConfig:
				w.refer(configdump.RouteConfig, fact.Value)
			}
		}
		for _, choice := range hop.Choices {
			w.refer(configdump.Cluster, choice.Name)
		}
	}
	for len(w.queue) > 0 {
		next := w.queue[0]
		w.queue = w.queue[1:]
		w.resource(next)
	}
}

// resource compares one resource that something on the way refers to.
func (w *way) resource(ref reference) {
	before, after := inUse(w.before, ref), inUse(w.after, ref)
	if before == nil && after == nil {
		return
	}
	switch ref.kind {
	case configdump.RouteConfig:
		w.routes(ref, before, after)
	case configdump.Secret:
		w.diff(title(ref.kind, ref.name), secret(before), secret(after))
	default:
		w.diff(title(ref.kind, ref.name), message(before), message(after))
	}
	w.again(before, after)
	w.compared++
	if ref.kind == configdump.Cluster {
		w.endpoints(before)
		w.endpoints(after)
	}
	if ref.kind != configdump.Secret && ref.kind != configdump.RouteConfig {
		w.follow("", message(before))
		w.follow("", message(after))
	}
}

// table compares the route table that a hop was decided from. Of one that only the URL's host was
// resolved by, that is the virtual host with the address.
func (w *way) table(hop flow.Hop) {
	for _, r := range w.before.Resources(configdump.RouteConfig) {
		if !below(hop.Source, r.Value().Pointer()) {
			continue
		}
		if hop.Kind != flow.Resolve {
			w.refer(configdump.RouteConfig, r.Name)
			return
		}
		host := w.before.At(upTo(hop.Source, "virtual_hosts", 1)).Get("name").Text()
		w.diff(title(r.Kind, r.Name), domains(r, host), domains(inUse(w.after, reference{r.Kind, r.Name}), host))
		w.compared++
		return
	}
}

// endpoints notes the endpoints of a cluster, where they are configured. Those of an ORIGINAL_DST
// cluster are made by the requests themselves, this one among them.
func (w *way) endpoints(cluster *configdump.Resource) {
	if cluster == nil || cluster.Value().Get("type").Text() == "ORIGINAL_DST" {
		return
	}
	w.refer(configdump.Endpoints, cluster.Name)
	w.refer(configdump.Endpoints, cluster.Value().Get("eds_cluster_config", "service_name").Text())
}

// inUse is the resource of a name that the proxy works with; nil where there is none, or only one
// that warms or drains.
func inUse(d *configdump.Dump, ref reference) *configdump.Resource {
	r, ok := d.Lookup(ref.kind, ref.name)
	if !ok || r.State > configdump.Active {
		return nil
	}
	return r
}

// refer notes that a resource is on the way.
func (w *way) refer(kind configdump.Kind, name string) {
	key := fmt.Sprint(kind, " ", name)
	if name == "" || w.seen[key] {
		return
	}
	w.seen[key] = true
	w.queue = append(w.queue, reference{kind, name})
}

// follow notes every resource that a message names: a string that is a resource's name in either
// dump is a reference to it, and for a route table, whose names are often port numbers, one in the
// field for it. A message that only looks like one makes the comparison wider, never narrower.
func (w *way) follow(field string, message any) {
	switch v := message.(type) {
	case map[string]any:
		for name, value := range v {
			w.follow(configdump.FieldName(name), value)
		}
	case []any:
		for _, element := range v {
			w.follow(field, element)
		}
	case string:
		for _, kind := range []configdump.Kind{configdump.Cluster, configdump.Secret, configdump.Extension} {
			w.referKnown(reference{kind, v})
		}
		if field == "route_config_name" || field == "route_configuration_name" {
			w.referKnown(reference{configdump.RouteConfig, v})
		}
	}
}

// referKnown notes a resource that one of the dumps has.
func (w *way) referKnown(ref reference) {
	if inUse(w.before, ref) != nil || inUse(w.after, ref) != nil {
		w.refer(ref.kind, ref.name)
	}
}

// scopes compares the scopes of routes, where the proxy has any: which of them a request takes
// follows from its headers.
func (w *way) scopes() {
	read := func(d *configdump.Dump) any {
		var all []any
		for _, r := range d.Resources(configdump.ScopedRoute) {
			all = append(all, whole(r.Value()))
		}
		return all
	}
	before, after := read(w.before), read(w.after)
	w.diff("scoped routes", before, after)
	w.follow("", before)
	w.follow("", after)
}

// taken says whether a hop was decided from a resource of the first dump.
func (w *way) taken(r *configdump.Resource) bool {
	return slices.ContainsFunc(w.hops, func(hop flow.Hop) bool { return below(hop.Source, r.Value().Pointer()) })
}

// below says whether one JSON pointer is another one, or leads on from it.
func below(pointer, above string) bool {
	return pointer == above || strings.HasPrefix(pointer, above+"/")
}

// whole decodes a value; nil is one that is not there. Numbers stay as they are written.
func whole(v configdump.Value) any {
	if !v.Exists() {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(v.Raw())))
	decoder.UseNumber()
	var decoded any
	if decoder.Decode(&decoded) != nil {
		return string(v.Raw()) // the dump's own Err says what is wrong with it
	}
	return decoded
}

func message(r *configdump.Resource) any {
	if r == nil {
		return nil
	}
	return whole(r.Value())
}

// secret is what counts of a secret: its name, and which kinds of it there are.
func secret(r *configdump.Resource) any {
	if r == nil {
		return nil
	}
	kinds := map[string]any{}
	for kind := range r.Value().Fields() {
		kinds[kind] = true
	}
	return kinds
}

// title names a resource in a change.
func title(kind configdump.Kind, name string) string {
	words := map[configdump.Kind]string{configdump.Listener: "listener", configdump.RouteConfig: "route configuration",
		configdump.Cluster: "cluster", configdump.Endpoints: "endpoints of", configdump.Secret: "secret",
		configdump.Extension: "extension configuration"}
	return words[kind] + " " + name
}
