package configdump

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const small = `{"configs": [
 {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
   "bootstrap": {"node": {"id": "sidecar~10.0.0.1~pod.ns~ns.svc.cluster.local",
  "metadata": {"ISTIO_VERSION": "1.2.3", "LABELS": {"a/b": "c"}}}}},
 {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [
  {"name": "l", "warming_state": {"listener": {"name": "l", "address": {"socket_address": {"address": "0.0.0.0",
    "port_value": 2}}}},
   "active_state": {"listener": {"name": "l", "address": {"socket_address": {"address": "0.0.0.0", "port_value": 1}},
     "filter_chains": [{"name": "a\u0062~/"}]}}}]},
 {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
   "staticClusters": [{"cluster": {"name": "c", "connectTimeout": "0.250s", "n": "12", "f": 1.5, "b": true,
     "x": null}}]}
]}`

func TestReading(t *testing.T) {
	d, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	node := d.Node()
	if node.Proxy() != "pod.ns" || node.IPs[0] != "10.0.0.1" || node.IstioVersion != "1.2.3" ||
		node.Domain != "ns.svc.cluster.local" || node.Labels["a/b"] != "c" {
		t.Errorf("node %+v", node)
	}
	l, ok := d.Lookup(Listener, "l")
	if !ok || l.State != Active || len(d.Resources(Listener)) != 2 {
		t.Fatalf("the active listener is expected before the warming one: %+v", l)
	}
	name := l.Value().Get("filter_chains").Element(0).Get("name")
	if name.Text() != "ab~/" || d.At(name.Pointer()).Text() != "ab~/" {
		t.Errorf("name %q at %s", name.Text(), name.Pointer())
	}
	label := d.Bootstrap().Get("node", "metadata", "LABELS")
	for key, v := range label.Fields() {
		if p := v.Pointer(); key != "a/b" || !strings.HasSuffix(p, "/LABELS/a~1b") || d.At(p).Text() != "c" {
			t.Errorf("key %q at %s", key, p)
		}
	}
	c, _ := d.Lookup(Cluster, "c")
	v := c.Value()
	if v.Get("connect_timeout").Duration() != 250*time.Millisecond || v.Get("n").Uint() != 12 ||
		v.Get("f").Float() != 1.5 || !v.Get("b").Bool() || v.Has("x") || v.Has("y") {
		t.Errorf("scalars of %s", v.Raw())
	}
	if m := v.Message(); m.Get("connect_timeout").Text() != "0.250s" || m.Has("x") || m.Get("none", "deeper").Exists() {
		t.Errorf("message of %s", v.Raw())
	}
	if missing := strings.Join(d.Missing(), " "); !strings.Contains(missing, "EndpointsConfigDump") ||
		strings.Contains(missing, "RoutesConfigDump") {
		t.Errorf("missing says %q", missing)
	}
}

// TestMissingRoutes asks for routes where a listener has them elsewhere, and only there.
func TestMissingRoutes(t *testing.T) {
	for filters, want := range map[string]bool{`{"name": "envoy.filters.network.tcp_proxy"}`: false,
		`{"name": "h", "typed_config": {"@type": "t/H", "rds": {"route_config_name": "80"}}}`: true} {
		d, err := Parse([]byte(`{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
			"static_listeners": [{"listener": {"name": "l",
			"filter_chains": [{"filters": [` + filters + `]}]}}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if missing := strings.Join(d.Missing(), " "); strings.Contains(missing, "RoutesConfigDump") != want {
			t.Errorf("%s: missing says %q", filters, missing)
		}
	}
}

// TestBadInput expects one error that names the place.
func TestBadInput(t *testing.T) {
	var cut bytes.Buffer
	z := gzip.NewWriter(&cut)
	_, _ = z.Write([]byte(small))
	_ = z.Close()
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "it is empty"},
		{"white space", " \n", "it is empty"},
		{"truncated", small[:len(small)/2], "looks truncated"},
		{"truncated in a string", `{"configs": [{"@type": "abc`, "line 1 column 24: string is not closed"},
		{"truncated gzip", cut.String()[:cut.Len()/2], "unexpected EOF"},
		{"no configs", `{"a": 1}`, `no "configs"`},
		{"not an object", `[1]`, "neither a JSON object nor a YAML mapping"},
		{"text after the end", small + "x", "text after the end"},
		{"no colon", "{\"configs\": [{\n\"a\" 1}]}", "line 2 column 5: a colon is expected"},
		{"no comma", `{"configs": [{"a": 1 "b": 2}]}`, "a comma or '}' is expected"},
		{"wrong bracket", `{"configs": [{"a": {"b": [1}]}}]}`, "closes a bracket of the other kind"},
		{"too deep", `{"configs": [{"a": ` + strings.Repeat("[", 5000) + `}]}`, "nest deeper than"},
		{"too deep, YAML", strings.Repeat("a: {", 600), "neither JSON nor YAML"},
		{"YAML alias", "configs:\n- &a {b: 1}\n- *a\n", "line 3: YAML aliases"},
		{"YAML error", "configs:\n\t- a", "neither JSON nor YAML"},
		{"binary", "\x00\x01\x02\xff\xfe", "binary data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, and %q is expected in it", err, c.want)
			}
		})
	}
}

// TestErrorBelowTheIndex meets a syntax error where the index did not look.
func TestErrorBelowTheIndex(t *testing.T) {
	d, err := Parse([]byte(`{"configs": [{"static_clusters": [{"cluster": {"name": "c", "a": {"b" 1}}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := d.Lookup(Cluster, "c")
	if c.Value().Get("a", "b").Exists() || d.Err() == nil || !strings.Contains(d.Err().Error(), "line 1 column 71") {
		t.Errorf("error %v", d.Err())
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.json")
	text := strings.Replace(small, `"b": true`, `"b": true, "pad": "`+strings.Repeat("x", mapFrom)+`"`, 1)
	if err := os.WriteFile(large, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Lookup(Cluster, "c"); !ok || d.Size() != len(text) {
		t.Errorf("mapped dump of %d bytes", d.Size())
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	for path, want := range map[string]string{dir: "is a directory", filepath.Join(dir, "none"): "no such file"} {
		if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: %v", path, err)
		}
	}
}

// FuzzParse feeds the reader and touches every value that it finds.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("configs:\n- '@type': a\n  dynamic_listeners:\n  - active_state: {listener: {name: l}}\n"))
	f.Add([]byte(
		`{"configs":[{"@type":"x.v3.ListenersConfigDump.DynamicListener","active_state":{"listener":{` +
			`"name":"\ud800"}}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		d.Node()
		var walk func(Value, int)
		walk = func(v Value, depth int) {
			v.Text()
			v.Uint()
			v.Duration()
			v.Typed()
			v.Pointer()
			for _, c := range v.Elements() {
				walk(c, depth+1)
			}
			for _, c := range v.Fields() {
				walk(c, depth+1)
			}
		}
		for kind := Listener; kind <= Extension; kind++ {
			for _, r := range d.Resources(kind) {
				walk(r.Value(), 0)
			}
		}
	})
}
