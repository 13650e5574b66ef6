package infer

import (
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// TestHeadersThatAreNotKnown sends requests of which a client may send more than is known, to a
// route that asks for user-agent: it depends where the value is not known, and on nothing else.
func TestHeadersThatAreNotKnown(t *testing.T) {
	const route = `{"match":{"prefix":"/","headers":[{"name":"user-agent","string_match":{"prefix":"curl/"}}]},
		"route":{"cluster":"b"}},{"match":{"prefix":"/"},"route":{"cluster":"a"}}`
	d, err := configdump.Parse([]byte(`{"configs":[{"static_clusters":[
 {"cluster":{"name":"a","load_assignment":{"endpoints":[{"lb_endpoints":[
 {"endpoint":{"address":{"socket_address":{"address":"10.0.0.1","port_value":80}}}}]}]}}},
 {"cluster":{"name":"b","load_assignment":{"endpoints":[{"lb_endpoints":[
 {"endpoint":{"address":{"socket_address":{"address":"10.0.0.2","port_value":80}}}}]}]}}}]},
 {"static_listeners":[{"listener":{"name":"l","address":{"socket_address":{"address":"0.0.0.0","port_value":80}},
 "filter_chains":[{"filters":[{"typed_config":{
 "@type":"x/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
 "http_filters":[{"name":"envoy.filters.http.router"}],
 "route_config":{"name":"r","virtual_hosts":[{"name":"v","domains":["*"],"routes":[` + route + `]}]}}}]}]}}]}]}`))
	must(t, err)
	agent := func(value string) flow.Headers { return flow.Headers{"user-agent": {value}} }
	for _, c := range []struct {
		name      string
		headers   flow.Headers
		unknown   []string
		cluster   string
		certainty flow.Certainty
	}{
		{"without the header", nil, nil, "a", flow.Certain},
		{"with it", agent("curl/8.1.0"), nil, "b", flow.Certain},
		{"with another value", agent("x"), nil, "a", flow.Certain},
		{"not known", nil, []string{"user-agent"}, "", flow.Depends},
		{"not known, by another case", nil, []string{"User-Agent"}, "", flow.Depends},
		{"another one is not known", agent("curl/8.1.0"), []string{"accept"}, "b", flow.Certain},
		{"any other is not known", agent("curl/8.1.0"), []string{"*"}, "b", flow.Certain},
		{"none is known", nil, []string{"*"}, "", flow.Depends},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := New(d).Decide(flow.Request{Direction: flow.Gateway, Address: "10.0.0.9", Port: 80,
				Authority: "x", Headers: c.headers, Unknown: c.unknown})
			must(t, err)
			if got.Certainty != c.certainty || c.cluster != "" && got.Cluster != c.cluster {
				t.Errorf("%s, cluster %q (depends %v), want %s, %q", got.Certainty, got.Cluster, got.Depends,
					c.certainty, c.cluster)
			}
		})
	}
}
