package flow

import "strings"

// ownFilters are the filters whose name is not the name of their folder: Istio's.
var ownFilters = map[string]string{
	"http/peer_metadata": "istio.metadata_exchange", "network/metadata_exchange": "istio.metadata_exchange",
	"http/istio_stats": "istio.stats", "http/alpn": "istio.alpn",
}

// FilterOfSource names the filter that a source file of Envoy belongs to, and the fact that it
// acted; both are "" for a file of none. Envoy keeps each filter in a folder of its own,
// extensions/filters/LAYER/NAME, and registers it as envoy.filters.LAYER.NAME (Envoy:
// source/extensions/extensions_build_config.bzl). What several filters share is in a folder named
// common, and names none.
func FilterOfSource(file string) (fact, name string) {
	_, rest, ok := strings.Cut(file, "extensions/filters/")
	parts := strings.SplitN(rest, "/", 3)
	if !ok || len(parts) < 3 || parts[1] == "common" {
		return "", ""
	}
	facts := map[string]string{"http": FactHTTPFilter, "network": FactNetworkFilter, "listener": FactFilter}
	if fact = facts[parts[0]]; fact == "" {
		return "", ""
	}
	if own, ok := ownFilters[parts[0]+"/"+parts[1]]; ok {
		return fact, own
	}
	return fact, "envoy.filters." + parts[0] + "." + parts[1]
}

// KindOfFilter is the hop at which a fact says that a filter acted; "" for another fact.
func KindOfFilter(fact string) HopKind {
	switch fact {
	case FactHTTPFilter:
		return HTTPFilters
	case FactNetworkFilter:
		return NetworkFilters
	case FactFilter:
		return ListenerFilters
	}
	return ""
}
