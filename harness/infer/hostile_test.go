package infer

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/report"
)

// hostile is a dump of one bound listener on port 80 with the given route
// configuration and clusters.
func hostile(t testing.TB, routes, clusters string) *configdump.Dump {
	t.Helper()
	d, err := configdump.Parse([]byte(`{"configs":[
 {"@type":"type.googleapis.com/envoy.admin.v3.ClustersConfigDump","static_clusters":[` + clusters + `]},
 {"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump","static_listeners":[{"listener":{"name":"l",
  "address":{"socket_address":{"address":"0.0.0.0","port_value":80}},
    "filter_chains":[{"filters":[{"name":"m","typed_config":{
  "@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "route_config":` + routes + `}}]}]}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func routesTo(match string) string {
	return `{"virtual_hosts":[{"name":"v","domains":["*"],"routes":[{"match":` + match + `,"route":{"cluster":"a"}}]}]}`
}

// TestHostile takes dumps that are made to hurt, and expects an answer within a second.
func TestHostile(t *testing.T) {
	aggregate := func(name, member string) string {
		return `{"cluster":{"name":"` + name + `","cluster_type":{"name":"envoy.clusters.aggregate","typed_config":{
"@type":"type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig","clusters":["` + member + `","` +
			member + `"]}}}}`
	}
	matcher := strings.Repeat(`{"on_no_match":{"matcher":`, 200) + `{}` + strings.Repeat(`}}`, 200)
	for _, c := range []struct{ name, routes, clusters string }{
		{"aggregate clusters in a circle", routesTo(`{"prefix":"/"}`), aggregate("a", "b") + "," + aggregate("b", "a")},
		{"a regular expression that grows",
			routesTo(`{"safe_regex":{"regex":"` + strings.Repeat("(x+x+)+", 200) + `y"}}`), ""},
		{"a regular expression that repeats", routesTo(`{"safe_regex":{"regex":"((a{0,1000}){0,1000}){0,1000}"}}`), ""},
		{"a regular expression that is none", routesTo(`{"safe_regex":{"regex":"a)(b"}}`), ""},
		{"matchers inside matchers", `{"virtual_hosts":[{"name":"v","domains":["*"],"matcher":` + matcher + `}]}`, ""},
		{"a very long list of domains", `{"virtual_hosts":[{"name":"v","domains":[` + strings.Repeat(`"a",`, 200_000) +
			`"b"],"routes":[]}]}`, ""},
		{"fields of the wrong kind", `{"virtual_hosts":{"a":1},"name":[1,{}]}`,
			`{"cluster":[1]},{"cluster":{"name":{}}},1,"x",null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			d := hostile(t, c.routes, c.clusters)
			_, err := Decide(d, flow.Request{Direction: flow.Gateway, Address: "1.2.3.4", Port: 80,
				Authority: strings.Repeat("x", 1000), Path: "/" + strings.Repeat("x", 5000)})
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v (error %v)", took, err)
			}
		})
	}
}

// FuzzDecide changes bytes of a recorded dump's listeners and routes, and asks for a way
// through what comes out.
func FuzzDecide(f *testing.F) {
	f.Add([]byte(routesTo(`{"prefix":"/","headers":[{"name":"a","exact_match":"b"}]}`)), "GET", "/a?b=c",
		"x", uint16(80))
	f.Add([]byte(
		`{"virtual_hosts":[{"name":"v","domains":["a.*","*.b"],"require_tls":"ALL","routes":[{"match":{"path":"/"},`+
			`"redirect":{"https_redirect":true}}]}]}`), "POST", "/", "a.b", uint16(80))
	f.Add([]byte(
		`{"virtual_hosts":[{"name":"v","domains":["*"],"routes":[{"match":{"path_match_policy":{"typed_config":{`+
			`"path_template":"/{a=*}/**"}}},"route":{"cluster":"a","regex_rewrite":{"pattern":{"regex":"a"},`+
			`"substitution":"\\1$"}}}]}]}`), "CONNECT", "*", "", uint16(80))
	f.Fuzz(func(t *testing.T, routes []byte, method, path, authority string, port uint16) {
		text := fmt.Appendf(nil, `{"configs":[{"static_listeners":[{"listener":{"name":"l",
			"address":{"socket_address":{"address":"0.0.0.0","port_value":80}},
"filter_chains":[{"filters":[{"typed_config":{
"@type":"x/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
"normalize_path":true,"merge_slashes":true,"route_config":%s}}]}]}}]},
{"static_clusters":[{"cluster":{"name":"a"}}]}]}`, routes)
		d, err := configdump.Parse(text)
		if err != nil {
			return
		}
		for _, protocol := range []string{"http", "http2", "tcp"} {
			decision, err := New(d).DecideWith(flow.Request{Direction: flow.Gateway, Address: "1.2.3.4",
				Port: uint32(port), Protocol: protocol,
				Method: method, Path: path, Authority: authority}, Options{Explain: true})
			if err == nil {
				must(t, report.Decision(io.Discard, "text", decision, report.WayOptions{}))
			}
		}
	})
}

// TestBatch reads requests from lines and writes decisions in the same order; a bad line is named.
func TestBatch(t *testing.T) {
	e := New(recorded(t, "netshoot"))
	var in bytes.Buffer
	for i := range 300 {
		fmt.Fprintf(&in, `{"id":"%d","address":"10.96.215.136","port":8080,"authority":"fortio-server"}`+"\n", i)
	}
	next := 0
	var out bytes.Buffer
	must(t, e.Batch(&in, &out, Options{}, func(w io.Writer, d flow.Decision) error {
		_, err := fmt.Fprintln(w, d.ID)
		return err
	}))
	for line := range strings.Lines(out.String()) {
		if strings.TrimSpace(line) != fmt.Sprint(next) {
			t.Fatalf("line %d is of request %s", next, line)
		}
		next++
	}
	if next != 300 {
		t.Errorf("%d of 300 decisions", next)
	}
	for text, want := range map[string]string{
		"{\"address\":\"10.0.0.1\",\"port\":80}\n\n{\"address\":1}\n":            "line 3",
		"{\"address\":\"10.0.0.1\",\"port\":0}\n":                                "port 0",
		"{\"address\":\"nonsense\",\"port\":80}\n":                               "line 1",
		"{\"address\":\"10.0.0.1\",\"port\":80,\"protocol\":\"smtp\"}":           `protocol "smtp"`,
		"{\"address\":\"10.0.0.1\",\"port\":80,\"tls\":\"yes\"}":                 `tls "yes"`,
		"{\"address\":\"10.0.0.1\",\"port\":80,\"direction\":\"up\"}":            `direction "up"`,
		"{\"address\":\"10.0.0.1\",\"port\":80,\"source\":\"x\"}":                `source "x"`,
		strings.Repeat("{\"address\":\"10.0.0.1\",\"port\":80}\n", 100) + "nope": "line 101",
	} {
		err := e.Batch(strings.NewReader(text), io.Discard, Options{}, func(io.Writer, flow.Decision) error {
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: error %v, and %q is expected in it", text, err, want)
		}
	}
}

// TestCompare finds the requests whose way a change of the dump changes.
func TestCompare(t *testing.T) {
	before := recorded(t, "netshoot")
	text := bytes.ReplaceAll(before.Root().Raw(), []byte(`"address": "172.21.206.197"`),
		[]byte(`"address": "172.21.206.250"`))
	after, err := configdump.Parse(text)
	must(t, err)
	change, err := Compare(New(before), New(after), flow.Request{Address: "10.96.215.136", Port: 8080,
		Authority: "fortio-server"})
	must(t, err)
	if change == nil || len(change.Hops) != 2 || change.Hops[0].Kind != flow.Endpoint ||
		change.Hops[1].Kind != flow.Connect {
		t.Fatalf("endpoint and connect are expected to change: %+v", change)
	}
	same, err := Compare(New(before), New(after), flow.Request{Address: "10.96.0.10", Port: 53, Protocol: "tcp"})
	must(t, err)
	if same != nil {
		t.Errorf("a way that is the same is said to change: %+v", same.Hops)
	}
}
