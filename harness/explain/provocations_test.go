package explain_test

import (
	"fmt"

	"github.com/flowproof/lab/harness/flow"
)

// A provocation is a listener's configuration and a request that makes Envoy write flags and
// details.
type provocation struct {
	name    string
	routes  string // of the one virtual host
	filters string // HTTP filters before the router
	hcm     string // further fields of the connection manager
	chain   string // further fields of the filter chain
	domain  string // of the virtual host
	send    string // what is sent instead of a GET
	hangUp  bool   // the client closes at once
	flags   string // that Envoy writes
	details string // at whose beginning they stand
	ended   flow.HopKind
}

func routeTo(cluster, more string) string {
	return fmt.Sprintf(`{match: {prefix: /}, route: {cluster: %s%s}}`, cluster, more)
}

func filter(name, kind, fields string) string {
	return fmt.Sprintf(`{name: %s, typed_config: {"@type": type.googleapis.com/%s, %s}},`, name, kind, fields)
}

const ext = "envoy.extensions.filters.http."

var provocations = []provocation{
	{name: "served", routes: routeTo("good", ""), details: "via_upstream", ended: flow.App},
	{name: "no_route", routes: `{match: {prefix: /other}, direct_response: {status: 200}}`, flags: "NR",
		details: "route_not_found", ended: flow.Route},
	{
		name:    "no_host",
		domain:  "other",
		routes:  routeTo("good", ""),
		flags:   "NR",
		details: "route_not_found",
		ended:   flow.Route,
	},
	{
		name:    "no_cluster",
		routes:  routeTo("nowhere", ""),
		flags:   "NC",
		details: "cluster_not_found",
		ended:   flow.Cluster,
	},
	{
		name:    "no_host_in_cluster",
		routes:  routeTo("empty", ""),
		flags:   "UH",
		details: "no_healthy_upstream",
		ended:   flow.Endpoint,
	},
	{
		name:    "direct",
		routes:  `{match: {prefix: /}, direct_response: {status: 418}}`,
		details: "direct_response",
		ended:   flow.Route,
	},
	{name: "refused", routes: routeTo("refuses", ""), flags: "UF",
		details: "upstream_reset_before_response_started{remote_connection_failure", ended: flow.Connect},
	{
		name:    "retried",
		routes:  routeTo("refuses", `, retry_policy: {retry_on: connect-failure, num_retries: 1}`),
		flags:   "URX,UF",
		details: "upstream_reset_before_response_started{remote_connection_failure",
		ended:   flow.Connect,
	},
	{name: "handshake", routes: routeTo("tls", ""), flags: "UF",
		details: "upstream_reset_before_response_started{remote_connection_failure|TLS_error", ended: flow.UpstreamTLS},
	{
		name:    "slow",
		routes:  routeTo("silent", ", timeout: 0.2s"),
		flags:   "UT",
		details: "response_timeout",
		ended:   flow.App,
	},
	{
		name:    "slow_try",
		routes:  routeTo("silent", ", retry_policy: {retry_on: 5xx, num_retries: 0, per_try_timeout: 0.2s}"),
		flags:   "URX,UT",
		details: "upstream_per_try_timeout",
		ended:   flow.App,
	},
	{name: "closed", routes: routeTo("closes", ""), flags: "UC",
		details: "upstream_reset_before_response_started{connection_termination", ended: flow.App},
	{name: "no_http", routes: routeTo("babbles", ""), flags: "UPE",
		details: "upstream_reset_before_response_started{protocol_error", ended: flow.App},
	{
		name:    "breaker",
		routes:  routeTo("full", ""),
		flags:   "UO",
		details: "upstream_reset_before_response_started{overflow",
		ended:   flow.Cluster,
	},
	{
		name:    "stream_duration",
		routes:  routeTo("silent", ", max_stream_duration: {max_stream_duration: 0.2s}"),
		flags:   "",
		details: "max_duration_timeout",
		ended:   flow.NetworkFilters,
	},
	{
		name:    "upstream_duration",
		routes:  routeTo("shortlived", ""),
		flags:   "UMSDR",
		details: "upstream_max_stream_duration_reached",
		ended:   flow.App,
	},
	{
		name:    "idle",
		routes:  routeTo("silent", ", idle_timeout: 0.2s"),
		flags:   "SI",
		details: "stream_idle_timeout",
		ended:   "",
	},
	{
		name:    "client_gone",
		routes:  routeTo("silent", ""),
		hangUp:  true,
		flags:   "DC",
		details: "downstream_remote_disconnect",
	},
	{
		name:    "dropped",
		routes:  routeTo("drops", ""),
		flags:   "UDO",
		details: "unconditional_drop_overload",
		ended:   flow.Cluster,
	},
	{
		name:    "dropped_in_part",
		send:    "twice", // one in a million is not dropped
		routes:  routeTo("drops_most", ""),
		flags:   "DO",
		details: "drop_overload",
		ended:   flow.Cluster,
	},
	{
		name:    "maintenance",
		routes:  routeTo("maintained", ""),
		flags:   "UO",
		details: "maintenance_mode",
		ended:   flow.Cluster,
	},
	{name: "fault", filters: filter("envoy.filters.http.fault", ext+"fault.v3.HTTPFault",
		"abort: {http_status: 503, percentage: {numerator: 100}}"), routes: routeTo("good", ""), flags: "FI",
		details: "fault_filter_abort", ended: flow.HTTPFilters},
	{name: "delay", filters: filter("envoy.filters.http.fault", ext+"fault.v3.HTTPFault",
		"delay: {fixed_delay: 0.01s, percentage: {numerator: 100}}"), routes: routeTo("good", ""), flags: "DI",
		details: "via_upstream", ended: flow.App},
	{
		name: "limited",
		filters: filter(
			"l",
			ext+"local_ratelimit.v3.LocalRateLimit",
			`stat_prefix: l, token_bucket: {max_tokens: 1, tokens_per_fill: 1,
  fill_interval: 3600s}, filter_enabled: {default_value: {numerator: 100}},
    filter_enforced: {default_value: {numerator: 100}}`,
		),
		routes: routeTo(
			"good",
			"",
		),
		send:    "twice",
		flags:   "RL",
		details: "local_rate_limited",
		ended:   flow.HTTPFilters,
	},
	{
		name: "authz",
		filters: filter(
			"a",
			ext+"ext_authz.v3.ExtAuthz",
			"transport_api_version: V3, grpc_service: {timeout: 0.2s, envoy_grpc: {cluster_name: refuses_grpc}}",
		),
		routes:  routeTo("good", ""),
		flags:   "UAEX",
		details: "ext_authz_error",
		ended:   flow.HTTPFilters,
	},
	{
		name: "rbac",
		filters: filter(
			"r",
			ext+"rbac.v3.RBAC",
			`rules: {action: DENY, policies: {"ns[a]-policy[b]-rule[0]": {permissions: [{any: true}], principals: `+
				`[{any: true}]}}}`,
		),
		routes: routeTo(
			"good",
			"",
		),
		details: "rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]",
		ended:   flow.HTTPFilters,
	},
	{name: "rbac_none", filters: filter("r", ext+"rbac.v3.RBAC", `rules: {action: ALLOW, policies: {}}`),
		routes: routeTo("good", ""), details: "rbac_access_denied_matched_policy[none]", ended: flow.HTTPFilters},
	{
		name: "jwt",
		filters: filter(
			"j",
			ext+"jwt_authn.v3.JwtAuthentication",
			`providers: {p: {issuer: i,
  local_jwks: {inline_string: '{"keys":[{"kty":"oct","alg":"HS256","kid":"a","k":"c2VjcmV0"}]}'}}},
  rules: [{match: {prefix: /}, requires: {provider_name: p}}]`,
		),
		routes:  routeTo("good", ""),
		details: "jwt_authn_access_denied{",
		ended:   flow.HTTPFilters,
	},
	{
		name:    "csrf",
		filters: filter("c", ext+"csrf.v3.CsrfPolicy", "filter_enabled: {default_value: {numerator: 100}}"),
		routes:  routeTo("good", ""),
		send:    "POST / HTTP/1.1\r\nhost: a\r\norigin: http://b\r\ncontent-length: 0\r\n\r\n",
		details: "csrf_origin_mismatch",
		ended:   flow.HTTPFilters,
	},
	{
		name:    "too_large",
		filters: filter("b", ext+"buffer.v3.Buffer", "max_request_bytes: 4"),
		routes:  routeTo("good", ""),
		send:    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n123456789",
		details: "request_payload_too_large",
		ended:   flow.HTTPFilters,
	},
	{name: "strict_header", routes: routeTo("good", ""), hcm: "strict", flags: "IH",
		send:    "GET / HTTP/1.1\r\nhost: a\r\nx-envoy-max-retries: many\r\n\r\n",
		details: "request_headers_failed_strict_check", ended: flow.HTTPFilters},
	{
		name:    "old",
		routes:  routeTo("good", ""),
		send:    "GET / HTTP/1.0\r\n\r\n",
		flags:   "DPE",
		details: "low_version",
		ended:   flow.NetworkFilters,
	},
	{
		name:    "no_authority",
		routes:  routeTo("good", ""),
		send:    "GET / HTTP/1.1\r\n\r\n",
		details: "missing_host_header",
		ended:   flow.NetworkFilters,
	},
	{
		name:    "garbage",
		routes:  routeTo("good", ""),
		send:    "\x16\x03\x01\x00\r\n\r\n",
		flags:   "DPE",
		details: "http1.codec_error",
		ended:   flow.NetworkFilters,
	},
	{
		name:    "upgrade",
		routes:  routeTo("good", ""),
		send:    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
		details: "upgrade_failed",
		ended:   flow.NetworkFilters,
	},
	{name: "slow_request", routes: routeTo("silent", ""), hcm: "request_timeout: 0.2s,",
		send: "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1", details: "request_overall_timeout"},
	{
		name:    "slow_headers",
		routes:  routeTo("good", ""),
		hcm:     "request_headers_timeout: 0.2s,",
		send:    "GET / HTTP/1.1\r\nhost: a\r\nx-a",
		details: "request_header_timeout",
	},
	{
		name:    "bad_path",
		routes:  routeTo("good", ""),
		hcm:     "normalize_path: true,",
		send:    "GET /a%00b HTTP/1.1\r\nhost: a\r\n\r\n",
		details: "path_normalization_failed",
		ended:   flow.NetworkFilters,
	},
	{
		name:    "no_chain",
		routes:  routeTo("good", ""),
		chain:   "filter_chain_match: {server_names: [a.example]},",
		flags:   "NR",
		details: "filter_chain_not_found",
		ended:   flow.FilterChain,
	},
	{
		name: "header_removed",
		filters: filter(
			"m",
			ext+"header_mutation.v3.HeaderMutation",
			"mutations: {request_mutations: [{remove: ':path'}]}",
		),
		routes: routeTo(
			"good",
			"",
		),
		flags:   "DPE",
		details: "filter_removed_required_request_headers{",
		ended:   flow.HTTPFilters,
	},
}
