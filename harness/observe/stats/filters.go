package stats

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// httpFamilies are the HTTP filters that count below the prefix of their connection manager,
// http.PREFIX.FAMILY.…, by the family's name. Source: generateStats of each filter's
// configuration in Envoy.
var httpFamilies = map[string]string{
	"rbac": "rbac", "lua": "lua", "fault": "fault", "jwt_authn": "jwt_authn", "cors": "cors", "csrf": "csrf",
	"ext_authz": "ext_authz",
	"tap":       "tap", "ext_proc": "ext_proc", "buffer": "buffer", "compressor": "compressor",
	"decompressor": "decompressor",
	"health_check": "health_check", "oauth2": "oauth2", "admission_control": "admission_control",
	"basic_auth":           "basic_auth",
	"adaptive_concurrency": "adaptive_concurrency", "ip_tagging": "ip_tagging", "bandwidth_limit": "bandwidth_limit",
	"rate_limit_quota": "rate_limit_quota", "grpc_json_transcoder": "grpc_json_transcoder",
	"aws_request_signing": "aws_request_signing",
	"json_to_metadata":    "json_to_metadata", "credential_injector": "credential_injector",
}

// A family is a filter that counts outside of a connection manager: below its own prefix, or, where
// that is free, before its name.
type family struct {
	begin, middle string
	fact, name    string
}

var families = []family{
	{"connection_limit.", "", flow.FactNetworkFilter, "envoy.filters.network.connection_limit"},
	{"local_ratelimit.", "", flow.FactNetworkFilter, "envoy.filters.network.local_ratelimit"},
	{"ratelimit.", "", flow.FactNetworkFilter, "envoy.filters.network.ratelimit"},
	{"ext_authz.", "", flow.FactNetworkFilter, "envoy.filters.network.ext_authz"},
	{"listener_local_ratelimit.", "", flow.FactFilter, "envoy.filters.listener.local_ratelimit"},
	{"proxy_proto.", "", flow.FactFilter, "envoy.filters.listener.proxy_protocol"},
	{"", ".http_local_rate_limit.", flow.FactHTTPFilter, "envoy.filters.http.local_ratelimit"},
	{"", ".rbac.", flow.FactNetworkFilter, "envoy.filters.network.rbac"},
}

// seesFilters are the filters that counters can tell of: each only where it counted.
func seesFilters() []flow.Capability {
	var all []flow.Capability
	for _, filter := range slices.Sorted(maps.Values(httpFamilies)) {
		all = append(all, flow.Capability{Kind: flow.HTTPFilters, Fact: flow.FactHTTPFilter,
			Value: "envoy.filters.http." + filter})
	}
	for _, f := range families {
		all = append(all, flow.Capability{Kind: flow.KindOfFilter(f.fact), Fact: f.fact, Value: f.name})
	}
	return all
}

// filterOf names the filter that a counter belongs to; "" for a counter of none. manager is the
// prefix of the connection manager for whose filters it counts.
func filterOf(counter string) (fact, name, manager string) {
	if rest, ok := strings.CutPrefix(counter, "http."); ok {
		for short, filter := range httpFamilies {
			if manager, _, found := strings.Cut(rest, "."+short+"."); found {
				return flow.FactHTTPFilter, "envoy.filters.http." + filter, strings.TrimSuffix(manager, ";")
			}
		}
		return "", "", ""
	}
	for _, own := range []string{"cluster.", "listener.", "server.", "main_thread.", "workers."} {
		if strings.HasPrefix(counter, own) {
			return "", "", ""
		}
	}
	for _, f := range families {
		if rest, ok := strings.CutPrefix(counter, f.begin); ok && strings.Contains(rest, f.middle) {
			return f.fact, f.name, ""
		}
	}
	return "", "", ""
}

// filters tells which filters counted for the request. It is asked only where the request was the
// only one, so that what went up is its own: a counter by one, or a gauge of what is open.
func (o *observer) filters(manager string) {
	seen := map[string]bool{}
	var sum []string
	for _, counter := range slices.Sorted(maps.Keys(o.after)) {
		fact, name, of := filterOf(counter)
		switch n := o.up(counter); {
		case name == "" || n == 0 || of != "" && of != manager || seen[fact+name]:
		case n > 1:
			sum = append(sum, fmt.Sprintf("%s by %d", counter, n))
		default:
			seen[fact+name] = true
			o.see(counter, flow.KindOfFilter(fact), fact, name)
		}
	}
	if len(sum) > 0 {
		o.abstain("filters counted more than the request: " + strings.Join(sum[:min(len(sum), 4)], ", "))
	}
}

// FilterCounters are the counters of filters, as a regular expression for the admin
// interface's /stats.
const FilterCounters = `^(connection_limit|local_ratelimit|ratelimit|ext_authz|listener_local_ratelimit|` +
	`proxy_proto)\.` +
	`|\.(http_local_rate_limit|rbac)\.` +
	`|^http\..*\.(lua|fault|jwt_authn|cors|csrf|ext_authz|tap|ext_proc|buffer|compressor|decompressor|health_check|` +
	`oauth2|` +
	`admission_control|basic_auth|adaptive_concurrency|ip_tagging|bandwidth_limit|rate_limit_quota|` +
	`grpc_json_transcoder|` +
	`aws_request_signing|json_to_metadata|credential_injector)\.`
