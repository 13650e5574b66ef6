package changes

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// recorded reads a dump of a workshop's sidecar.
func recorded(t testing.TB, pod string) []byte {
	t.Helper()
	packed, err := os.ReadFile("../../../scenarios/dumps/" + pod + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parsed(t testing.TB, text []byte) *configdump.Dump {
	t.Helper()
	d, err := configdump.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// inferred is the workshop's request by the recorded dumps.
func inferred(t testing.TB) flow.Path {
	t.Helper()
	path, err := infer.Way(parsed(t, recorded(t, "netshoot")), parsed(t, recorded(t, "fortio-server")),
		flow.Call{From: "netshoot", Namespace: "mark", URL: "http://fortio-server:8080/", Method: "GET"},
		infer.WayOptions{Cold: true})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A tree is a dump that is changed by hand.
type tree struct {
	t    *testing.T
	root any
}

// at returns what stands at a path of fields and elements. An element is named by its name, or
// by what stands in it.
func (d tree) at(path ...string) any {
	d.t.Helper()
	v := d.root
	for _, step := range path {
		v = d.step(v, step)
	}
	return v
}

func (d tree) step(v any, step string) any {
	d.t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if next, ok := v[step]; ok {
			return next
		}
	case []any:
		for _, e := range v {
			fields, _ := e.(map[string]any)
			for _, f := range fields {
				if inner, ok := f.(map[string]any); ok && (inner["name"] == step || inner["cluster_name"] == step) {
					return e
				}
			}
			if fields["name"] == step || strings.HasSuffix(text(fields["@type"]), "."+step) {
				return e
			}
		}
	}
	d.t.Fatalf("the dump has no %s", step)
	return nil
}

func text(v any) string { s, _ := v.(string); return s }

func (d tree) object(path ...string) map[string]any {
	d.t.Helper()
	return d.at(path...).(map[string]any)
}

// insert puts an element into a list, at its beginning or its end.
func (d tree) insert(first bool, element string, path ...string) {
	d.t.Helper()
	holder := d.object(path[:len(path)-1]...)
	field := path[len(path)-1]
	list, _ := holder[field].([]any)
	if first {
		holder[field] = append([]any{value(d.t, element)}, list...)
	} else {
		holder[field] = append(list, value(d.t, element))
	}
}

func value(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The places of the recorded dumps that the cases change.
var (
	listener = []string{"configs", "ListenersConfigDump", "dynamic_listeners"}
	clusters = []string{"configs", "ClustersConfigDump", "dynamic_active_clusters"}
	loads    = []string{"configs", "EndpointsConfigDump", "dynamic_endpoint_configs"}
	tables   = []string{"configs", "RoutesConfigDump", "dynamic_route_configs"}
	secrets  = []string{"configs", "SecretsConfigDump", "dynamic_active_secrets"}
)

func at(base []string, more ...string) []string { return append(append([]string{}, base...), more...) }

const (
	fortio  = "outbound|8080||fortio-server.mark.svc.cluster.local"
	another = "outbound|8080||fortio-server-l2.mark.svc.cluster.local"
)

// taken is the chain of virtualInbound that the recorded request takes, and its connection manager.
func (d tree) taken() map[string]any {
	d.t.Helper()
	chains := d.at(at(listener, "virtualInbound", "active_state", "listener", "filter_chains")...).([]any)
	for _, c := range chains {
		chain := c.(map[string]any)
		if match, _ := chain["filter_chain_match"].(map[string]any); chain["name"] == "0.0.0.0_8080" &&
			match["transport_protocol"] == "tls" {
			return chain
		}
	}
	d.t.Fatal("no chain of virtualInbound is for port 8080 with TLS")
	return nil
}

func (d tree) manager() map[string]any {
	return d.taken()["filters"].([]any)[0].(map[string]any)["typed_config"].(map[string]any)
}

func TestOnWay(t *testing.T) {
	for name, c := range map[string]struct {
		pod    string
		change func(tree)
		want   string // that one change says; empty: there must be none
	}{
		"nothing": {"netshoot", func(tree) {}, ""},
		"an http filter in the client's listener": {"netshoot", func(d tree) {
			chain := d.at(at(listener, "0.0.0.0_8080", "active_state", "listener", "filter_chains")...).([]any)[0]
			m := tree{d.t, chain}.object("filters", "envoy.filters.network.http_connection_manager", "typed_config")
			m["http_filters"] = append([]any{map[string]any{"name": "envoy.filters.http.lua"}},
				m["http_filters"].([]any)...)
		}, "http_filters[envoy.filters.http.lua] was added"},
		"a listener filter": {"fortio-server", func(d tree) {
			d.insert(true, `{"name":"envoy.filters.listener.local_ratelimit"}`,
				at(listener, "virtualInbound", "active_state", "listener", "listener_filters")...)
		}, "listener virtualInbound of fortio-server.mark: listener_filters[envoy.filters.listener.local_ratelimit] " +
			"was added"},
		"listener filters in another order": {"fortio-server", func(d tree) {
			l := d.at(at(listener, "virtualInbound", "active_state", "listener", "listener_filters")...).([]any)
			l[0], l[1] = l[1], l[0]
		}, "listener_filters was reordered"},
		"an http filter in the server's chain": {"fortio-server", func(d tree) {
			m := d.manager()
			m["http_filters"] = append([]any{map[string]any{"name": "envoy.filters.http.rbac"}},
				m["http_filters"].([]any)...)
		}, "filter_chains[0.0.0.0_8080]/filters[envoy.filters.network.http_connection_manager]" +
			"/typed_config/http_filters[envoy.filters.http.rbac] was added"},
		"a network filter in the server's chain": {"fortio-server", func(d tree) {
			c := d.taken()
			c["filters"] = append([]any{map[string]any{"name": "envoy.filters.network.rbac"}}, c["filters"].([]any)...)
		}, "filters[envoy.filters.network.rbac] was added"},
		"another authority in the server's inline route": {"fortio-server", func(d tree) {
			host := d.manager()["route_config"].(map[string]any)["virtual_hosts"].([]any)[0].(map[string]any)
			host["routes"].([]any)[0].(map[string]any)["route"].(map[string]any)["host_rewrite_literal"] =
				"other.example"
		}, "host_rewrite_literal was added"},
		"the chains in another order": {"fortio-server", func(d tree) {
			l := d.at(at(listener, "virtualInbound", "active_state", "listener", "filter_chains")...).([]any)
			l[0], l[len(l)-1] = l[len(l)-1], l[0]
		}, ""},
		"a chain for another port": {"fortio-server", func(d tree) {
			d.insert(true, `{"name":"0.0.0.0_9090","filter_chain_match":{"destination_port":9090}}`,
				at(listener, "virtualInbound", "active_state", "listener", "filter_chains")...)
		}, ""},
		"a chain for this port": {"fortio-server", func(d tree) {
			d.insert(true, `{"name":"hostile","filter_chain_match":{"destination_port":8080,"server_names":["x"]}}`,
				at(listener, "virtualInbound", "active_state", "listener", "filter_chains")...)
		}, "filter_chains[hostile] was added"},
		"a listener for the address that is dialled": {"netshoot", func(d tree) {
			for _, hop := range inferred(d.t).Hops {
				if hop.Kind == flow.Resolve {
					ip := hop.Expect[0].Value
					d.insert(false,
						`{"name":"new","active_state":{"listener":{"name":"new","address":{"socket_address":{`+
							`"address":"`+ip+`","port_value":8080}}}}}`, listener...)
					return
				}
			}
		}, "listener new of netshoot.mark was added"},
		"a listener for another port": {"netshoot", func(d tree) {
			d.insert(false,
				`{"name":"new","active_state":{"listener":{"name":"new","address":{"socket_address":{`+
					`"address":"0.0.0.0","port_value":9999}}}}}`, listener...)
		}, ""},
		"a listener that only warms": {"netshoot", func(d tree) {
			d.insert(false,
				`{"name":"new","warming_state":{"listener":{"name":"new","address":{"socket_address":{`+
					`"address":"0.0.0.0","port_value":8080}}}}}`, listener...)
		}, ""},
		"a version": {"netshoot", func(d tree) {
			d.object(at(listener, "0.0.0.0_8080", "active_state")...)["version_info"] = "next"
		}, ""},
		"a route in front": {"netshoot", func(d tree) {
			d.insert(true, `{"match":{"prefix":"/x"},"direct_response":{"status":200}}`,
				at(tables, "8080", "route_config", "virtual_hosts",
					"fortio-server.mark.svc.cluster.local:8080", "routes")...)
		}, "virtual_hosts[fortio-server.mark.svc.cluster.local:8080]/routes"},
		"a virtual host with the name": {"netshoot", func(d tree) {
			d.insert(true, `{"name":"hostile","domains":["fortio-server:*"]}`,
				at(tables, "8080", "route_config", "virtual_hosts")...)
		}, "virtual_hosts[hostile] was added"},
		"a virtual host with another name": {"netshoot", func(d tree) {
			d.insert(true, `{"name":"other","domains":["other.example","*.other.example"]}`,
				at(tables, "8080", "route_config", "virtual_hosts")...)
		}, ""},
		"virtual hosts and domains in another order": {"netshoot", func(d tree) {
			hosts := d.at(at(tables, "8080", "route_config", "virtual_hosts")...).([]any)
			hosts[0], hosts[len(hosts)-1] = hosts[len(hosts)-1], hosts[0]
			for _, h := range hosts {
				domains := h.(map[string]any)["domains"].([]any)
				domains[0], domains[len(domains)-1] = domains[len(domains)-1], domains[0]
			}
		}, ""},
		"headers that the table adds": {"netshoot", func(d tree) {
			d.object(at(tables, "8080", "route_config")...)["request_headers_to_remove"] = []any{"x"}
		}, "route configuration 8080 of netshoot.mark: request_headers_to_remove was added"},
		"the cluster's TLS": {"netshoot", func(d tree) {
			delete(d.object(at(clusters, fortio, "cluster")...), "transport_socket_matches")
		}, "cluster " + fortio + " of netshoot.mark: transport_socket_matches was removed"},
		"another cluster's TLS": {"netshoot", func(d tree) {
			delete(d.object(at(clusters, another, "cluster")...), "transport_socket_matches")
		}, ""},
		"an endpoint": {"netshoot", func(d tree) {
			load := d.object(at(loads, fortio, "endpoint_config")...)["endpoints"].([]any)[0].(map[string]any)
			load["lb_endpoints"] = append(load["lb_endpoints"].([]any),
				value(d.t, `{"endpoint":{"address":{"socket_address":{"address":"10.9.9.9","port_value":8080}}}}`))
		}, "lb_endpoints[10.9.9.9:8080] was added"},
		"an endpoint's health": {"netshoot", func(d tree) {
			load := d.object(at(loads, fortio, "endpoint_config")...)["endpoints"].([]any)[0].(map[string]any)
			load["lb_endpoints"].([]any)[0].(map[string]any)["health_status"] = "UNHEALTHY"
		}, "health_status was changed"},
		"an endpoint of another cluster": {"netshoot", func(d tree) {
			d.object(at(loads, another, "endpoint_config")...)["endpoints"] = []any{}
		}, ""},
		"an endpoint that the request itself made": {"fortio-server", func(d tree) {
			d.object(at(loads, "inbound|8080||", "endpoint_config")...)["endpoints"] = []any{value(d.t,
				`{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"10.9.9.9",`+
					`"port_value":8080}}}}]}`)}
		}, ""},
		"a certificate that was renewed": {"netshoot", func(d tree) {
			d.object(at(secrets, "default", "secret")...)["tls_certificate"] = map[string]any{
				"certificate_chain": map[string]any{"inline_bytes": "bmV3"},
			}
		}, ""},
		"a certificate that is gone": {"netshoot", func(d tree) {
			section := d.object("configs", "SecretsConfigDump")
			section["dynamic_active_secrets"] = section["dynamic_active_secrets"].([]any)[1:]
		}, "secret default of netshoot.mark was removed"},
		"the runtime": {"netshoot", func(d tree) {
			d.object("configs", "BootstrapConfigDump", "bootstrap", "layered_runtime")["layers"] = []any{}
		}, "bootstrap of netshoot.mark: layered_runtime/layers"},
	} {
		t.Run(name, func(t *testing.T) {
			path := inferred(t)
			before := recorded(t, c.pod)
			d := tree{t: t, root: value(t, string(before))}
			c.change(d)
			after, err := json.Marshal(d.root)
			if err != nil {
				t.Fatal(err)
			}
			got := Texts(c.pod+".mark", before, after, path)
			if got.Problem != "" || got.Compared < 5 {
				t.Fatalf("%d resources compared; problem %q", got.Compared, got.Problem)
			}
			var said []string
			for _, change := range got.Changes {
				said = append(said, change.String())
			}
			if all := strings.Join(said, "\n"); c.want == "" && all != "" || !strings.Contains(all, c.want) {
				t.Errorf("changes:\n%s\nwant %q", all, c.want)
			}
		})
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	path, netshoot, fortio := inferred(t), recorded(t, "netshoot"), recorded(t, "fortio-server")
	for name, c := range map[string]struct {
		before, after []byte
		path          flow.Path
		want          string
	}{
		"no dump after":          {netshoot, nil, path, "not dumped before and after"},
		"another proxy's":        {netshoot, fortio, path, "the one after the request is of fortio-server.mark"},
		"of another proxy":       {fortio, fortio, path, "the dump is of fortio-server.mark"},
		"no hop of it":           {netshoot, netshoot, flow.Path{}, "no hop of the path is of this proxy"},
		"cut off":                {netshoot, netshoot[:len(netshoot)/2], path, "after the request: "},
		"not even a config dump": {[]byte("{}"), netshoot, path, "before the request: "},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Texts("netshoot.mark", c.before, c.after, c.path); !strings.Contains(got.Problem, c.want) {
				t.Errorf("problem %q, want %q", got.Problem, c.want)
			}
		})
	}
}
