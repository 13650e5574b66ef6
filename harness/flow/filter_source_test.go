package flow

import "testing"

func TestFilterOfSource(t *testing.T) {
	for _, c := range []struct{ file, fact, name string }{
		{"source/extensions/filters/http/lua/lua_filter.cc:871", FactHTTPFilter, "envoy.filters.http.lua"},
		{"external/envoy/source/extensions/filters/network/rbac/rbac_filter.cc", FactNetworkFilter,
			"envoy.filters.network.rbac"},
		{"./source/extensions/filters/listener/proxy_protocol/proxy_protocol.cc:1", FactFilter,
			"envoy.filters.listener.proxy_protocol"},
		{"source/extensions/filters/http/peer_metadata/filter.cc", FactHTTPFilter, "istio.metadata_exchange"},
		{"source/extensions/filters/http/common/pass_through_filter.h", "", ""},
		{"source/extensions/filters/common/rbac/engine_impl.cc", "", ""},
		{"source/extensions/filters/udp/dns_filter/dns_filter.cc", "", ""},
		{"source/common/router/router.cc:525", "", ""},
		{"source/extensions/filters/http/lua", "", ""},
		{"", "", ""},
	} {
		if fact, name := FilterOfSource(c.file); fact != c.fact || name != c.name {
			t.Errorf("%s is of %q %q, want %q %q", c.file, fact, name, c.fact, c.name)
		}
	}
}
