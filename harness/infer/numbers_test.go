package infer

import (
	"reflect"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// numbered is a proxy whose enums stand with their names, and behind each name its number.
const numbered = `static_resources:
  listeners:
  - name: in
    address: {socket_address: {address: 127.0.0.1, port_value: 80}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          path_with_escaped_slashes_action: <UNESCAPE_AND_FORWARD|4>
          route_config:
            name: r
            virtual_hosts:
            - name: plain
              domains: [plain]
              require_tls: <NONE|0>
              routes:
              - {match: {path: /found}, redirect: {host_redirect: x, response_code: <FOUND|1>}}
              - {match: {path: /kept}, redirect: {host_redirect: x, response_code: <PERMANENT_REDIRECT|4>}}
              - {match: {path: /a/b}, route: {cluster: c}}
            - {name: outside, domains: [outside], require_tls: <EXTERNAL_ONLY|1>, routes: []}
            - {name: all, domains: [all], require_tls: <ALL|2>, routes: []}
          http_filters:
          - {name: envoy.filters.http.router,
             typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: c
    type: STATIC
    protocol_selection: <USE_DOWNSTREAM_PROTOCOL|1>
    load_assignment:
      cluster_name: c
      endpoints:
      - lb_endpoints:
        - {health_status: <DRAINING|3>, endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 1}}}}
        - {health_status: <HEALTHY|1>, endpoint: {address: {socket_address: {address: 10.0.0.2, port_value: 1}}}}
        - {health_status: <UNHEALTHY|2>, endpoint: {address: {socket_address: {address: 10.0.0.3, port_value: 1}}}}
        - {health_status: <DEGRADED|5>, endpoint: {address: {socket_address: {address: 10.0.0.4, port_value: 1}}}}
        - {health_status: <UNKNOWN|0>, endpoint: {address: {socket_address: {address: 10.0.0.5, port_value: 1}}}}
`

// TestNumbersOfEnums expects the same way where an enum stands as its number:
// protobuf's JSON takes both.
func TestNumbersOfEnums(t *testing.T) {
	form := func(which int) *Engine {
		var text strings.Builder
		for i, part := range strings.Split(numbered, "<") {
			if enum, rest, ok := strings.Cut(part, ">"); ok && i > 0 {
				part = strings.Split(enum, "|")[which] + rest
			}
			text.WriteString(part)
		}
		d, err := configdump.Parse([]byte(text.String()))
		must(t, err)
		return New(d)
	}
	names, numbers := form(0), form(1)
	for _, c := range []struct {
		host, path, protocol string
		status               int
		outcome              flow.Outcome
	}{
		{"plain", "/found", "http", 302, flow.Answered},
		{"plain", "/kept", "http", 308, flow.Answered},
		{"plain", "/a%2Fb", "http", 0, flow.Forwarded},
		{"plain", "/a%2Fb", "http2", 0, flow.Forwarded},
		{"outside", "/", "http", 301, flow.Answered},
		{"all", "/", "http", 301, flow.Answered},
	} {
		req := flow.Request{Direction: flow.Gateway, Address: "127.0.0.1", Port: 80, Source: "10.1.1.1:5",
			Authority: c.host, Path: c.path, Protocol: c.protocol}
		want, err := names.Decide(req)
		must(t, err)
		got, err := numbers.Decide(req)
		must(t, err)
		if want.Outcome != c.outcome || want.Status != c.status {
			t.Errorf("%v: %s with %d", c, want.Outcome, want.Status)
		}
		for i := range want.Hops { // a reason may name the value as it stands
			want.Hops[i].Why = ""
		}
		for i := range got.Hops {
			got.Hops[i].Why = ""
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v: by numbers\n%+v\nby names\n%+v", c, got, want)
		}
	}
}
