package infer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// TestShapes changes a recorded dump into the shapes that other Envoys and tools write, and
// expects the same way.
func TestShapes(t *testing.T) {
	requests := []flow.Request{
		{Direction: flow.Inbound, Address: "172.21.206.197", Port: 8080, TLS: flow.MTLS, ALPN: []string{"istio"},
			Authority: "x"},
		{Direction: flow.Inbound, Address: "172.21.206.197", Port: 9999, Authority: "x"},
		{Address: "10.96.215.136", Port: 8080, Authority: "fortio-server"},
		{Address: "10.96.0.10", Port: 53, Protocol: "tcp"},
	}
	original := recorded(t, "fortio-server")
	text := original.Root().Raw()
	for _, c := range []struct {
		name  string
		shape func([]byte) []byte
		open  bool // the same way, and everything after the filter is open
	}{
		{"compact JSON", func(b []byte) []byte {
			var out bytes.Buffer
			must(t, json.Compact(&out, b))
			return out.Bytes()
		}, false},
		{"gzip", func(b []byte) []byte {
			var out bytes.Buffer
			z := gzip.NewWriter(&out)
			_, err := z.Write(b)
			must(t, err)
			must(t, z.Close())
			return out.Bytes()
		}, false},
		{"YAML", func(b []byte) []byte { out, err := yaml.JSONToYAML(b); must(t, err); return out }, false},
		{"lowerCamelCase", func(b []byte) []byte { return rewritten(t, b, camelCase) }, false},
		{"bind_to_port in deprecated_v1 (Envoy 1.19)", func(b []byte) []byte {
			return rewritten(t, b, deprecated)
		}, false},
		{"an unknown extension", func(b []byte) []byte { return rewritten(t, b, unknownFilter) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := configdump.Parse(c.shape(bytes.Clone(text)))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range requests {
				want, err := Decide(original, r)
				must(t, err)
				got, err := Decide(d, r)
				must(t, err)
				if c.open && got.RouteConfig != "" {
					if got.Certainty != flow.Depends || !got.Others ||
						!strings.Contains(got.Depends[0].On, "acme.Thing") {
						t.Errorf("an unknown filter leaves the decision %s: %+v", got.Certainty, got.Depends)
					}
					got.Certainty, got.Depends, got.Possible, got.Others = want.Certainty, nil, nil, false
				}
				want.Hops, got.Hops = nil, nil
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%+v\n is now %+v\n and was %+v", r, got, want)
				}
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rewritten changes every object of a JSON text.
func rewritten(t *testing.T, text []byte, change func(map[string]any)) []byte {
	var v any
	must(t, json.Unmarshal(text, &v))
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
			change(v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	out, err := json.Marshal(v)
	must(t, err)
	return out
}

// camelCase renames fields of Envoy's own messages; keys of maps are left alone.
func camelCase(o map[string]any) {
	for _, name := range []string{"filter_chains", "filter_chain_match", "destination_port", "transport_protocol",
		"application_protocols",
		"listener_filters", "filter_disabled", "typed_config", "socket_address", "port_value", "use_original_dst",
		"bind_to_port", "route_config",
		"virtual_hosts", "http_filters", "lb_endpoints", "transport_socket_matches", "default_filter_chain",
		"active_state", "dynamic_listeners"} {
		if v, ok := o[name]; ok {
			delete(o, name)
			words := strings.Split(name, "_")
			for i := 1; i < len(words); i++ {
				words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
			}
			o[strings.Join(words, "")] = v
		}
	}
}

func deprecated(o map[string]any) {
	if v, ok := o["bind_to_port"]; ok {
		delete(o, "bind_to_port")
		o["deprecated_v1"] = map[string]any{"bind_to_port": v}
	}
}

// unknownFilter puts a TypedStruct in front of the filters of each chain, as Istio's
// own were until 1.1x.
func unknownFilter(o map[string]any) {
	if filters, ok := o["http_filters"].([]any); ok {
		o["http_filters"] = append([]any{map[string]any{"name": "acme.thing", "typed_config": map[string]any{
			"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "type_url": "type.googleapis.com/acme.Thing",
			"value": map[string]any{"a": 1}}}}, filters...)
	}
}

// TestPartialDumps takes sections away: what is left is answered, and what is missing said.
func TestPartialDumps(t *testing.T) {
	text := recorded(t, "fortio-server").Root().Raw()
	without := func(section string) *configdump.Dump {
		var v map[string][]map[string]any
		must(t, json.Unmarshal(text, &v))
		var kept []map[string]any
		for _, c := range v["configs"] {
			if !strings.HasSuffix(c["@type"].(string), section) {
				kept = append(kept, c)
			}
		}
		out, err := json.Marshal(map[string]any{"configs": kept})
		must(t, err)
		d, err := configdump.Parse(out)
		must(t, err)
		return d
	}
	outbound := flow.Request{Address: "10.96.215.136", Port: 8080, Authority: "fortio-server"}
	for _, c := range []struct {
		section string
		outcome flow.Outcome
		failure flow.Failure
		says    string
	}{
		{"EndpointsConfigDump", flow.Forwarded, "", "include_eds"},
		{"RoutesConfigDump", flow.Failed, flow.NoRoute, "no RoutesConfigDump"},
		{"ClustersConfigDump", flow.Failed, flow.NoCluster, "no ClustersConfigDump"},
		{"ListenersConfigDump", flow.Failed, flow.NoListener, "no listener on port 15001"},
		{"BootstrapConfigDump", flow.Forwarded, "", "names no interception mode"},
	} {
		d := without(c.section)
		got, err := Decide(d, outbound)
		must(t, err)
		said := false
		for _, h := range got.Hops {
			said = said || strings.Contains(h.Why, c.says)
		}
		if got.Outcome != c.outcome || got.Failure != c.failure || !said {
			t.Errorf("without %s: %s %s, says %q: %v", c.section, got.Outcome, got.Failure, c.says, said)
		}
		if !strings.Contains(strings.Join(d.Missing(), " "), c.section) {
			t.Errorf("without %s: missing says %v", c.section, d.Missing())
		}
	}
}
