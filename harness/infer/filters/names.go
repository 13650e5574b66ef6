package filters

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Types of filters that hand the request to other filters, which are not on the list.
const (
	CompositeType = "envoy.extensions.filters.http.composite.v3.Composite"
	MatcherType   = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
)

// filterNames are the names that Istio gives to its own filters, and that Envoy gives where the
// type does not spell it.
var filterNames = map[string]string{
	"io.istio.http.peer_metadata.Config":                        "istio.metadata_exchange",
	"envoy.tcp.metadataexchange.config.MetadataExchange":        "istio.metadata_exchange",
	"stats.PluginConfig":                                        "istio.stats",
	"istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig": "istio.alpn",
	MatcherType: "envoy.filters.http.match_delegate",
}

// Canonical is the name by which Envoy registers the filter of a type: the name in a dump
// is free. Of a type that is not Envoy's, and of Wasm, whose modules have one type, it is
// the name in the dump.
func Canonical(name, kind string) string {
	if known, ok := filterNames[kind]; ok {
		return known
	}
	for _, prefix := range []string{"envoy.extensions.filters.", "envoy.config.filter."} {
		rest, ok := strings.CutPrefix(kind, prefix)
		if parts := strings.Split(rest, "."); ok && len(parts) == 4 && parts[1] != "wasm" {
			return "envoy.filters." + parts[0] + "." + parts[1]
		}
	}
	return name
}

// Facts are what a filter of the chain shows when it acts. The log at trace level names a
// filter as the dump does.
func Facts(fact, name, kind string) []flow.Fact {
	canonical := Canonical(name, kind)
	facts := []flow.Fact{{Name: fact, Value: canonical}}
	if name != canonical {
		facts = append(facts, flow.Fact{Name: fact, Value: name, May: true})
	}
	if kind == CompositeType || kind == MatcherType {
		facts = append(facts, flow.Fact{Name: fact, Value: "*", May: true})
	}
	return facts
}
