package explain_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
)

func open(t *testing.T, name string) *configdump.Dump {
	t.Helper()
	d, err := configdump.Open(context.Background(), "../../scenarios/dumps/"+name+".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// A columns is what a line of Istio's text format has.
type columns struct {
	request, code, flags, details, termination, why, authority, host, cluster, local, sni, route string
}

func (c columns) String() string {
	return fmt.Sprintf(`[2026-11-23T06:46:18.107Z] "%s" %s %s %s %s "%s" 0 19 1 - "-" "curl" `+
		`"d1bd9705-f406-4bb6-85b0-3dbe66b959d6" "%s" "%s" %s - %s 172.21.206.198:48606 %s %s`,
		cmp.Or(c.request, "GET / HTTP/1.1"),
		cmp.Or(c.code, "503"),
		cmp.Or(c.flags, "-"),
		cmp.Or(c.details, "-"),
		cmp.Or(c.termination, "-"),
		cmp.Or(c.why, "-"),
		cmp.Or(c.authority, "fortio-server:8080"),
		cmp.Or(c.host, "-"),
		cmp.Or(c.cluster, "-"),
		cmp.Or(c.local, "10.96.215.136:8080"),
		cmp.Or(c.sni, "-"),
		cmp.Or(c.route, "-"),
	)
}

const (
	toServer = "outbound|8080||fortio-server.mark.svc.cluster.local"
	inbound  = "inbound|8080||"
	server   = "172.21.206.197:8080"
	istioSNI = "outbound_.8080_._.fortio-server.mark.svc.cluster.local"
)

// TestRequest explains lines of every kind against the dumps of both sidecars.
func TestRequest(t *testing.T) {
	dumps := map[string]*configdump.Dump{"netshoot": open(t, "netshoot"), "fortio-server": open(t, "fortio-server")}
	for name, c := range map[string]struct {
		columns
		dump      string
		direction flow.Direction
		ended     flow.HopKind
		beyond    bool
		differ    []flow.HopKind
		result    []string // parts of it
	}{
		"served": {
			columns: columns{code: "200", details: "via_upstream", host: server, cluster: toServer, route: "default"},
			dump:    "netshoot", direction: flow.Outbound, ended: flow.App, beyond: true,
			result: []string{"200", "netshoot.mark sent it to " + server},
		},
		"served, inbound": {
			columns: columns{
				code: "200", details: "via_upstream", host: server, cluster: inbound, local: server, sni: istioSNI,
				route: "default",
			},
			dump: "fortio-server", direction: flow.Inbound, ended: flow.App, beyond: true,
			result: []string{"200", "fortio-server.mark sent it"},
		},
		"the application's own error": {
			columns: columns{
				code: "500", details: "via_upstream", host: server, cluster: inbound, local: server, sni: istioSNI,
				route: "default",
			},
			dump: "fortio-server", direction: flow.Inbound, ended: flow.App, beyond: true,
			result: []string{"500, via_upstream", "had sent it to " + server},
		},
		"a cluster without endpoints": {
			columns: columns{
				flags: "UH", details: "no_healthy_upstream", authority: "fortio-server.default:8080",
				cluster: "outbound|8080||fortio-server.default.svc.cluster.local", local: "10.96.1.1:8080",
				route: "default",
			},
			dump: "netshoot", direction: flow.Outbound, ended: flow.Endpoint,
			result: []string{"no healthy upstream host (UH)", "ended by netshoot.mark at endpoint"},
		},
		"no endpoint then, one now": {
			columns: columns{flags: "UH", details: "no_healthy_upstream", cluster: toServer, route: "default"},
			dump:    "netshoot", direction: flow.Outbound, ended: flow.Endpoint, differ: []flow.HopKind{flow.Endpoint},
			result: []string{"(UH)", "the dump says otherwise"},
		},
		"another cluster": {
			columns: columns{
				code: "200", details: "via_upstream", host: "172.21.206.9:8080",
				cluster: "outbound|8080|v2|fortio-server.mark.svc.cluster.local", route: "default",
			},
			dump: "netshoot", direction: flow.Outbound, ended: flow.App, beyond: true,
			differ: []flow.HopKind{flow.Cluster, flow.Endpoint},
			result: []string{"200"},
		},
		"another route": {
			columns: columns{code: "200", details: "via_upstream", host: server, cluster: toServer, route: "canary"},
			dump:    "netshoot", direction: flow.Outbound, ended: flow.App, beyond: true,
			differ: []flow.HopKind{flow.Route},
		},
		"refused by the application": {
			columns: columns{
				flags: "UF,URX",
				details: "upstream_reset_before_response_started{remote_connection_failure|" +
					"delayed_connect_error:_Connection_refused}",
				why: "delayed_connect_error:_Connection_refused", host: server, cluster: inbound, local: server,
				sni: istioSNI, route: "default",
			},
			dump: "fortio-server", direction: flow.Inbound, ended: flow.Connect,
			result: []string{"upstream connection failure (UF)", "at connect (" + server + ")", "Connection refused"},
		},
		"a handshake that failed": {
			columns: columns{
				flags: "UF",
				details: "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|" +
					"268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end}",
				why:  "TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
				host: server, cluster: toServer, route: "default",
			},
			dump: "netshoot", direction: flow.Outbound, ended: flow.UpstreamTLS,
			result: []string{"at upstream-tls", "WRONG VERSION NUMBER"},
		},
		"too slow": {
			columns: columns{
				code: "504", flags: "UT", details: "response_timeout", host: server, cluster: toServer,
				route: "default",
			},
			dump: "netshoot", direction: flow.Outbound, ended: flow.App, beyond: true,
			result: []string{"504, upstream request timeout (UT)", "had sent it to " + server},
		},
		"the client gave up": {
			columns: columns{
				code: "0", flags: "DC", details: "downstream_remote_disconnect", host: server, cluster: toServer,
				route: "default",
			},
			dump: "netshoot", direction: flow.Outbound,
			result: []string{
				"no answer, downstream connection terminated (DC): the client of netshoot.mark ended it",
			},
		},
		"denied, and the dump has no such policy": {
			columns: columns{
				code: "403", details: "rbac_access_denied_matched_policy[ns[mark]-policy[no]-rule[0]]",
				cluster: inbound, local: server, sni: istioSNI, route: "default",
			},
			dump: "fortio-server", direction: flow.Inbound, ended: flow.HTTPFilters,
			differ: []flow.HopKind{flow.HTTPFilters},
			result: []string{"403", "RBAC policy ns[mark]-policy[no]-rule[0]"},
		},
		"clear text at a strict port": {
			columns: columns{
				request: "- - -", code: "0", flags: "NR", details: "filter_chain_not_found", authority: "-",
				local: server,
			},
			dump: "fortio-server", direction: flow.Inbound, ended: flow.FilterChain,
			differ: []flow.HopKind{flow.FilterChain},
			result: []string{
				"the connection was closed, no route configured (NR): ended by fortio-server.mark at filter-chain",
			},
		},
		"a circuit breaker, of which no dump tells": {
			columns: columns{
				flags: "UO", details: "upstream_reset_before_response_started{overflow}", cluster: toServer,
				route: "default",
			},
			dump: "netshoot", direction: flow.Outbound, ended: flow.Cluster,
			result: []string{"(UO)", "at cluster (" + toServer + ")"},
		},
		"flags that are not known": {
			columns: columns{code: "503", flags: "ZZ"},
			dump:    "netshoot", direction: flow.Outbound,
			result: []string{"a flag that is not known (ZZ)", "does not say where it ended"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			lines := explain.Lines([]byte(c.columns.String()), nil)
			if len(lines) != 1 {
				t.Fatalf("%d lines: %s", len(lines), c.columns)
			}
			e := explain.Request(lines[0], explain.Options{Dump: dumps[c.dump]})
			if e.Direction != c.direction || e.Ended.Hop != c.ended || e.Ended.Beyond != c.beyond {
				t.Errorf("%s, ended %+v", e.Direction, e.Ended)
			}
			var differ []flow.HopKind
			for _, d := range e.Differ {
				differ = append(differ, d.Hop)
			}
			if !slices.Equal(differ, c.differ) {
				t.Errorf("differ %+v, want %v", e.Differ, c.differ)
			}
			for _, part := range c.result {
				if !strings.Contains(e.Result, part) {
					t.Errorf("%q does not say %q", e.Result, part)
				}
			}
		})
	}
}

// TestOpen holds that a route that asks for a header which the line does not tell is open, and not
// held against the line.
func TestOpen(t *testing.T) {
	raw := `{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
		"bootstrap":{"node":{"id":"sidecar~10.0.0.1~a.b~b.svc.cluster.local"}}},
	{"@type":"type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
	  "static_clusters":[{"cluster":{"name":"red","type":"STATIC"}},{"cluster":{"name":"blue","type":"STATIC"}}]},
	{"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
	  "static_listeners":[{"listener":{"name":"l","address":{"socket_address":{"address":"0.0.0.0","port_value":80}},
	"filter_chains":[{"filters":[{"name":"envoy.filters.network.http_connection_manager","typed_config":{
	"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
	  "stat_prefix":"x",
	"route_config":{"name":"r","virtual_hosts":[{"name":"v","domains":["*"],"routes":[
	{"match":{"prefix":"/","headers":[{"name":"x-team","string_match":{"exact":"red"}}]},"route":{"cluster":"red"}},
	  {"match":{"prefix":"/"},"route":{"cluster":"blue"}}]}]},
	"http_filters":[{"name":"envoy.filters.http.router",
	  "typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}}]}]}`
	dump, err := configdump.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	for cluster, differs := range map[string]bool{"red": false, "blue": false, "green": true} {
		line := columns{code: "200", details: "via_upstream", cluster: cluster, local: "10.0.0.9:80"}.String()
		e := explain.Request(
			explain.Lines([]byte(line), dump)[0],
			explain.Options{Dump: dump, Direction: flow.Gateway},
		)
		if len(e.Open) == 0 {
			t.Errorf("%s: nothing is said to be open", cluster)
		}
		if got := slices.ContainsFunc(e.Differ, func(d flow.Difference) bool {
			return d.Hop == flow.Cluster
		}); got != differs {
			t.Errorf("%s: differs %v: %+v", cluster, got, e.Differ)
		}
	}
}

// TestChecks makes every check that the glossary names on real dumps, and none that there is not.
func TestChecks(t *testing.T) {
	dump := open(t, "netshoot")
	for _, e := range glossary.All(glossary.English) {
		for _, c := range e.Causes {
			if c.Check != "" && !explain.HasCheck(c.Check) {
				t.Errorf("%s names the check %q", e.Name, c.Check)
			}
		}
		for _, c := range explain.Causes(e, e.Name, "", dump) {
			for _, f := range c.Found {
				if f.Source != "" && !dump.At(f.Source).Exists() {
					t.Errorf("%s: %s stands at %s, where nothing is", e.Name, f.Text, f.Source)
				}
			}
		}
	}
	entry, _ := glossary.Of(glossary.Flag, "UH", glossary.English)
	causes := explain.Causes(entry, entry.Name, flow.Outbound, dump)
	if len(causes) != 1 || len(causes[0].Found) == 0 ||
		!strings.Contains(causes[0].Found[0].Text, "has no endpoint") {
		t.Errorf("UH, outbound: %+v", causes)
	}
}

// TestLog explains what failed in a log, alike requests together, and one request of it.
func TestLog(t *testing.T) {
	bad := columns{flags: "UH", details: "no_healthy_upstream", cluster: toServer, route: "default"}.String()
	good := columns{code: "200", details: "via_upstream", host: server, cluster: toServer, route: "default"}.String()
	lines := explain.Lines([]byte(strings.Join([]string{good, bad, "something else", bad, good}, "\n")), nil)
	parts := []explain.Part{{Name: "log", Lines: lines}}
	l := explain.All(parts, explain.Options{})
	if l.Lines != 4 || l.Failed != 2 || len(l.Groups) != 1 || l.Groups[0].Count != 2 {
		t.Errorf("%+v", l)
	}
	if found := explain.Select(parts, "d1bd9705", explain.Options{}); len(found) != 4 {
		t.Errorf("%d lines of the id", len(found))
	}
	if found := explain.Select(parts, "d1b", explain.Options{}); len(found) != 0 {
		t.Errorf("three characters name %d requests", len(found))
	}
}
