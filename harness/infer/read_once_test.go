package infer

import (
	"bytes"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// TestRouteConfigurationIsReadOnce breaks the text of a virtual host after the first request to
// another one: the next does not read it again. A route configuration may have tens of megabytes.
func TestRouteConfigurationIsReadOnce(t *testing.T) {
	const other = `{"name":"other","domains":["other"]}`
	text := []byte(`{"configs":[
 {"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump","static_listeners":[{"listener":{"name":"l",
  "address":{"socket_address":{"address":"0.0.0.0","port_value":80}},"filter_chains":[{"filters":[{"name":"m",
  "typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.` +
		`HttpConnectionManager","rds":{"route_config_name":"r"},"http_filters":[{"name":"router","typed_config":{
  "@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}}]},
 {"@type":"type.googleapis.com/envoy.admin.v3.RoutesConfigDump","dynamic_route_configs":[{"route_config":{"name":"r",
  "virtual_hosts":[{"name":"v","domains":["v"],"routes":[{"match":{"prefix":"/"},"direct_response":{"status":200}}]},
  ` + other + `]}}]}]}`)
	d, err := configdump.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	engine := New(d)
	req := flow.Request{Direction: flow.Gateway, Address: "10.0.0.1", Port: 80, Authority: "v"}
	for range 2 {
		decision, err := engine.Decide(req)
		if err != nil || decision.VirtualHost != "v" || decision.Status != 200 {
			t.Errorf("%v: %+v", err, decision)
		}
		if at := bytes.Index(text, []byte(other)); at >= 0 {
			text[at+1] = ']'
		}
	}
}
