package infer

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// Way returns the whole way of a call between two pods: resolve, the hops of the client's sidecar,
// the hops of the server's sidecar, and the app. What the client's sidecar offers upstream (SNI,
// ALPN, TLS) is what the server's sidecar sees downstream. A nil client is a pod without a sidecar;
// with a nil server the way ends where the client's sidecar connects. An error means that the call
// makes no sense with these dumps.
func Way(client, server *configdump.Dump, call flow.Call, opts WayOptions) (flow.Path, error) {
	path, err := way(client, server, call, opts)
	dumps := map[string]*configdump.Dump{}
	for _, d := range []*configdump.Dump{client, server} {
		if d != nil {
			dumps[d.Node().Proxy()] = d
		}
	}
	places(path.Hops, dumps)
	for i := range path.Variants {
		places(path.Variants[i].Hops, dumps)
	}
	return path, err
}

// places names the fields that decided, and the objects that they were made of.
func places(hops []flow.Hop, dumps map[string]*configdump.Dump) {
	for i := range hops {
		h := &hops[i]
		d := dumps[h.Proxy]
		if d == nil || h.Source == "" {
			continue
		}
		place := d.Place(h.Source)
		h.Field, h.Object = place.Selector, place.Origin
		for k, r := range h.Rejected {
			if r.Source != "" {
				h.Rejected[k].Object = d.Place(r.Source).Origin
			}
		}
	}
}
