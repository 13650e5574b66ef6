package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// A config is what a test's dump holds; each member is a message in YAML, as Envoy's
// documentation writes it.
type config struct {
	listeners []string
	routes    []string
	clusters  []string
	endpoints any    // the whole section; nil: one of no endpoints
	runtime   string // fields of a layer of the runtime
}

// bootstrapText is who the proxy is, and a runtime as a bootstrap may set it.
const bootstrapText = `{node: {id: authority, cluster: authority}, layered_runtime: {layers: [
  {name: first, static_layer: {test: {none: 0, all: 100, over: 0, status: 432,
    fraction: {numerator: 10000, denominator: TEN_THOUSAND}}, test.flat: 100}},
  {name: second, static_layer: {test.over: 100}}, {name: more, static_layer: {%s}}, {name: admin, admin_layer: {}}]}}`

// message turns YAML into JSON.
func message(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("read YAML: %v\n%s", err, text)
	}
	return v
}

// dump makes a config dump of a config as Envoy's admin interface would write it.
func (c config) dump(t testing.TB) *configdump.Dump {
	t.Helper()
	section := func(kind, array, field string, all []string) object {
		var elements []any
		for _, text := range all {
			elements = append(elements, object{field: message(t, text)})
		}
		return object{"@type": "type.googleapis.com/envoy.admin.v3." + kind, array: elements}
	}
	endpoints := c.endpoints
	if endpoints == nil {
		endpoints = object{"@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump"}
	}
	text, err := json.Marshal(object{"configs": []any{
		object{"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
			"bootstrap": message(t, fmt.Sprintf(bootstrapText, c.runtime))},
		section("ClustersConfigDump", "static_clusters", "cluster", c.clusters),
		section("ListenersConfigDump", "static_listeners", "listener", c.listeners),
		section("RoutesConfigDump", "static_route_configs", "route_config", c.routes),
		endpoints,
	}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := configdump.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// stubbed are clusters of these names with an endpoint, behind which a stub stands.
func stubbed(names ...string) []string {
	var all []string
	for _, n := range names {
		all = append(all, fmt.Sprintf(`{name: %q, type: STATIC, load_assignment: {cluster_name: %q,
			endpoints: [{lb_endpoints: [
  {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]}]}}`, n, n))
	}
	return all
}

// httpListener is a bound listener on a port with one chain that ends in a connection manager. hcm
// holds fields of the connection manager, routes the fields of its route configuration; both in
// YAML's flow style without the braces.
func httpListener(port int, hcm, routes string) string {
	return fmt.Sprintf(`{name: "l_%d", address: {socket_address: {address: 0.0.0.0, port_value: %d}}, filter_chains: `+
		`[%s]}`,
		port, port, httpChain("", hcm, routes))
}

// httpChain is a filter chain that ends in a connection manager; more holds further
// fields of the chain.
func httpChain(more, hcm, routes string) string {
	if hcm != "" {
		hcm = ", " + hcm
	}
	if more != "" {
		more = ", " + more
	}
	if routes != "" {
		routes = ", route_config: {name: table, " + routes + "}"
	}
	return fmt.Sprintf(`{filters: [{name: envoy.filters.network.http_connection_manager, typed_config: {
  "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
  stat_prefix: test, http_filters: [{name: envoy.filters.http.router, typed_config: {
    "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
  %s%s}}]%s}`, routes, hcm, more)
}

// tcpChain is a filter chain that ends in a TCP proxy to a cluster.
func tcpChain(more, cluster string) string {
	if more != "" {
		more = ", " + more
	}
	return fmt.Sprintf(`{filters: [{name: envoy.filters.network.tcp_proxy, typed_config: {
  "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: test,
    cluster: %q}}]%s}`, cluster, more)
}

// envoyOrSkip returns an Envoy binary. Without one the test is skipped, except in CI, where it
// must not be missing.
func envoyOrSkip(t testing.TB) string {
	t.Helper()
	path, err := Find()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// start runs Envoy for the length of the test.
func start(t testing.TB, d *configdump.Dump, opts Options) *Envoy {
	t.Helper()
	e, err := Start(context.Background(), envoyOrSkip(t), t.TempDir(), d, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// askAll runs Envoy and asks it once for all requests.
func askAll(t testing.TB, d *configdump.Dump, requests []flow.Request) []Result {
	t.Helper()
	results, err := start(t, d, Options{}).Ask(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// judge asks Envoy and inference for all requests and returns the differences that nothing
// explains, one text a request.
func judge(t testing.TB, e *Envoy, engine *infer.Engine, requests []flow.Request) []string {
	t.Helper()
	results, err := e.Ask(context.Background(), requests)
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(requests))
	for i, req := range requests {
		d, err := engine.Decide(req)
		if err != nil {
			t.Fatalf("%+v: %v", req, err)
		}
		if all := Differences(req, d, results[i]); len(all) > 0 && explain(engine, req, d, results[i]) == "" {
			shown, _ := json.Marshal(req)
			texts[i] = fmt.Sprintf("%s\n  %v\n  Envoy logged %+v %s", shown, all, results[i].Entries,
				results[i].Problem)
		}
	}
	return texts
}
