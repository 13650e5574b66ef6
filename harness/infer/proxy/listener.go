package proxy

import (
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/filters"
)

// A Listener is envoy.config.listener.v3.Listener as far as the way depends on it.
type Listener struct {
	At       configdump.Message
	Name     string
	HandOver bool // use_original_dst
	Filters  []ListenerFilter
	Chains   []*FilterChain
	Fallback *FilterChain     // default_filter_chain, or nil
	Matcher  configdump.Value // filter_chain_matcher
}

// Listener returns the decoded form of a listener.
func (e *Proxy) Listener(r *configdump.Resource) *Listener {
	return once(e, e.listeners, r, func() *Listener {
		v := r.Value().Message()
		l := &Listener{At: v, Name: r.Name, HandOver: v.Get("use_original_dst").Bool(),
			Matcher: v.Get("filter_chain_matcher")}
		if l.Name == "" && len(r.Addresses) > 0 {
			l.Name = AddressText(r.Addresses[0])
		}
		for _, f := range v.Get("listener_filters").Elements() {
			l.Filters = append(l.Filters, newListenerFilter(f))
		}
		if l.HandOver { // it adds the filter (ListenerImpl::buildOriginalDstListenerFilter)
			l.Filters = append(l.Filters, ListenerFilter{At: v.Get("use_original_dst"), Name: OriginalDst,
				Kind: OriginalDst})
		}
		for i, c := range v.Get("filter_chains").Elements() {
			l.Chains = append(l.Chains, newFilterChain(c, i))
		}
		if c := v.Get("default_filter_chain"); c.Exists() {
			l.Fallback = newFilterChain(c, defaultChain)
		}
		return l
	})
}

// Canonical names of the listener filters that decide something.
const (
	OriginalDst   = "envoy.filters.listener.original_dst"
	originalSrc   = "envoy.filters.listener.original_src"
	TLSInspector  = "envoy.filters.listener.tls_inspector"
	HTTPInspector = "envoy.filters.listener.http_inspector"
	ProxyProtocol = "envoy.filters.listener.proxy_protocol"
)

// A ListenerFilter is envoy.config.listener.v3.ListenerFilter.
type ListenerFilter struct {
	At       configdump.Value
	Name     string // as it stands
	Kind     string // canonical name
	Disabled configdump.Value
}

func newListenerFilter(v configdump.Value) ListenerFilter {
	f := ListenerFilter{At: v, Name: v.Get("name").Text(), Disabled: v.Get("filter_disabled")}
	_, message := v.Get("typed_config").Typed()
	f.Kind = filters.Canonical(f.Name, message)
	return f
}

// Restores says whether the listener restores the original destination of redirected connections.
func (l *Listener) Restores() bool {
	return slices.ContainsFunc(l.Filters, func(f ListenerFilter) bool { return f.Kind == OriginalDst })
}
