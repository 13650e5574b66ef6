package configdump

import (
	"strings"
	"testing"
)

// TestAdopt reads the shapes in which people have a proxy's configuration, and names
// what to do with others.
func TestAdopt(t *testing.T) {
	const listener = `{"name": "l", "address": {"socket_address": {"address": "127.0.0.1", "port_value": 80}}, ` +
		`"filterChains": []}`
	const dump = `{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", ` +
		`"static_listeners": [{"listener": ` + listener + `}]}]}`
	for name, c := range map[string]struct{ text, problem string }{
		"bootstrap": {`{"static_resources": {"listeners": [` + listener + `], "clusters": [{"name": "c"}]}}`,
			""},
		"bootstrap in YAML": {"static_resources:\n  listeners:\n  - name: l\n    address: {socket_address: {address: " +
			"127.0.0.1, port_value: 80}}\n", ""},
		"istioctl": {
			`[` + listener + `, {"name": "80", "virtualHosts": []}, {"name": "c", "connectTimeout": "1s"}]`, "",
		},
		"typed resources": {`[{"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "l"}]`, ""},
		"DiscoveryResponse": {
			`{"version_info": "1", "resources": [{"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", ` +
				`"name": "l"}]}`, "",
		},
		"wrapped resources": {
			`{"resources": [{"name": "l", "version": "1", ` +
				`"resource": {"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "l"}}]}`, "",
		},
		"one section": {
			`{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "static_listeners": [{"listener": ` +
				listener + `}]}`, "",
		},
		"no resources": {`{"resources": []}`, "static_resources"},
		"egctl":        {`{"gw": {"pod-1": ` + dump + `}}`, ""},
		"two proxies": {`{"gw": {"pod-1": ` + dump + `, "pod-2": ` + dump + `}}`,
			"it holds 2 proxies (gw/pod-1, gw/pod-2)"},
		"status": {`[{"name": "c", "hostStatuses": []}]`, "give istioctl proxy-config all -o json"},
		"a secret": {`[{"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"}]`,
			"a Secret is no listener"},
		"something else": {`{"hello": 1}`, "static_resources"},
		"an unknown one": {`[{"x": 1}]`, "element 0 of the list: its type cannot be told"},
	} {
		d, err := Parse([]byte(c.text))
		switch {
		case c.problem != "":
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: error %v, expected %q", name, err, c.problem)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			if _, ok := d.Lookup(Listener, "l"); !ok {
				t.Errorf("%s: no listener", name)
			}
		}
	}
}
