package changes

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// listeners compares the listeners that could take the connection. Of the one that took it
// everything counts but the filter chains that are for other ports; of the others only what decides
// that they did not take it.
func (w *way) listeners() {
	names := map[string]bool{}
	for _, d := range []*configdump.Dump{w.before, w.after} {
		for _, r := range d.Resources(configdump.Listener) {
			if r.State <= configdump.Active && (w.taken(r) && d == w.before || w.couldTake(r)) {
				names[r.Name] = true
			}
		}
	}
	for _, name := range sorted(names) {
		ref := reference{configdump.Listener, name}
		before, after := inUse(w.before, ref), inUse(w.after, ref)
		chain := ""
		full := before != nil && w.decided(flow.Listener, before)
		if full {
			chain = w.chain(before)
		}
		w.compared++
		w.diff(title(configdump.Listener, name), w.listener(before, full, chain), w.listener(after, full, chain))
		w.again(before, after)
		if full {
			w.followTaken(before, chain)
		}
	}
}

// decided says whether the hop of that kind was decided from a resource of the first dump.
func (w *way) decided(kind flow.HopKind, r *configdump.Resource) bool {
	return slices.ContainsFunc(w.hops, func(hop flow.Hop) bool {
		return hop.Kind == kind && below(hop.Source, r.Value().Pointer())
	})
}

// couldTake says whether a listener stands where the connection was dialled to, or where
// netfilter redirects it to.
func (w *way) couldTake(r *configdump.Resource) bool {
	if !w.destination.IsValid() {
		return true
	}
	for _, a := range r.Addresses {
		for _, address := range sockets(a) {
			if w.redirected(address) {
				return true
			}
			if address.Port() == w.destination.Port() && w.restores &&
				(address.Addr().IsUnspecified() || address.Addr() == w.destination.Addr()) {
				return true
			}
		}
	}
	return false
}

// redirected says whether netfilter takes the connection to an address.
func (w *way) redirected(address netip.AddrPort) bool {
	for _, hop := range w.hops {
		for _, fact := range hop.Expect {
			if fact.Name == flow.FactRedirectPort && fact.Value == portText(address.Port()) {
				return true
			}
		}
	}
	return false
}

// handsOn says whether the listener that netfilter redirects to hands the connection on to the one
// of its destination. Where no such listener is known every listener may take it.
func (w *way) handsOn() bool {
	known := false
	for _, d := range []*configdump.Dump{w.before, w.after} {
		for _, r := range d.Resources(configdump.Listener) {
			for _, a := range r.Addresses {
				if slices.ContainsFunc(sockets(a), w.redirected) {
					known = true
					if r.Value().Get("use_original_dst").Bool() {
						return true
					}
				}
			}
		}
	}
	return !known
}

// listener is what counts of a listener. With full, that is all of it but the chains for other
// ports; of a chain that was not taken, what it matches. Without, its chains do not count.
func (w *way) listener(r *configdump.Resource, full bool, chain string) any {
	fields, ok := message(r).(map[string]any)
	if !ok {
		return message(r)
	}
	if !full {
		for name := range fields {
			if f := configdump.FieldName(name); f == "filter_chains" || f == "default_filter_chain" {
				delete(fields, name)
			}
		}
		return fields
	}
	if r.Value().Has("filter_chain_matcher") || chain == "" {
		return fields
	}
	for name := range fields {
		switch configdump.FieldName(name) {
		case "filter_chains":
			fields[name] = w.chains(r.Value().Get("filter_chains"), chain)
		case "default_filter_chain":
			if chain != defaultChain {
				fields[name] = selector(whole(r.Value().Get("default_filter_chain")))
			}
		}
	}
	return fields
}

// defaultChain stands for default_filter_chain among the chains that could be taken.
const defaultChain = "default"

// chains are the chains that could take the connection: the taken one whole, the others by what
// they match. The taken one is known by what it matches and its name, because its index is another
// one when a chain is added before it.
func (w *way) chains(list configdump.Value, taken string) any {
	var all []any
	for _, chain := range list.Elements() {
		port := chain.Get("filter_chain_match", "destination_port")
		if w.destination.IsValid() && port.Exists() && port.Uint() != uint64(w.destination.Port()) {
			continue
		}
		if identity(chain) == taken {
			all = append(all, whole(chain))
		} else {
			all = append(all, selector(whole(chain)))
		}
	}
	return all
}

// chain is the identity of the chain of a listener that the way takes; "" where none is known.
func (w *way) chain(r *configdump.Resource) string {
	for _, hop := range w.hops {
		rest, ok := strings.CutPrefix(hop.Source, r.Value().Pointer()+"/")
		if !ok || hop.Kind != flow.FilterChain {
			continue
		}
		if strings.HasPrefix(configdump.FieldName(rest), "default_filter_chain") {
			return defaultChain
		}
		if v := w.before.At(upTo(hop.Source, "filter_chains", 1)); v.Exists() {
			return identity(v)
		}
	}
	return ""
}

// identity is how a chain is known in both dumps.
func identity(chain configdump.Value) string { return canonical(selector(whole(chain)), "") }

// selector is what decides whether a filter chain takes a connection.
func selector(chain any) any {
	fields, ok := chain.(map[string]any)
	if !ok {
		return chain
	}
	kept := map[string]any{}
	for name, value := range fields {
		if f := configdump.FieldName(name); f == "name" || f == "filter_chain_match" {
			kept[name] = value
		}
	}
	return kept
}

// followTaken notes what the listener and the taken chain refer to.
func (w *way) followTaken(r *configdump.Resource, chain string) {
	fields, _ := message(r).(map[string]any)
	for name, value := range fields {
		switch f := configdump.FieldName(name); {
		case f == "filter_chains" && chain != "":
			for _, c := range r.Value().Get(f).Elements() {
				if identity(c) == chain {
					w.follow("", withoutRoutes(whole(c)))
				}
			}
		case f == "default_filter_chain" && chain != "" && chain != defaultChain:
		default:
			w.follow("", withoutRoutes(value))
		}
	}
	w.follow("", routeTaken(w))
}

// withoutRoutes leaves out route tables that stand in a chain: which of their clusters count
// follows from the route.
func withoutRoutes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, value := range v {
			if configdump.FieldName(name) != "virtual_hosts" {
				kept[name] = withoutRoutes(value)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i := range v {
			kept[i] = withoutRoutes(v[i])
		}
		return kept
	}
	return v
}

// routeTaken is the route that the way takes; nil where none is known.
func routeTaken(w *way) any {
	for _, hop := range w.hops {
		if hop.Kind == flow.Route && hop.Source != "" {
			return whole(w.before.At(upTo(hop.Source, "routes", 1)))
		}
	}
	return nil
}

// upTo cuts a JSON pointer some tokens after the last one of that name; "" where there is none.
func upTo(pointer, token string, more int) string {
	tokens := strings.Split(pointer, "/")
	for i := len(tokens) - 1; i >= 0; i-- {
		if configdump.FieldName(tokens[i]) == token && i+more < len(tokens) {
			return strings.Join(tokens[:i+more+1], "/")
		}
	}
	return ""
}
