package changes

import (
	"encoding/json"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestChangedAndChangedBack changes times of the last update in the second dump: of what stands
// word for word in both, that is what a change and its withdrawal leave.
func TestChangedAndChangedBack(t *testing.T) {
	const later = "2027-01-01T00:00:00Z"
	moved := func(path ...string) func(tree) {
		return func(d tree) { d.object(path...)["last_updated"] = later }
	}
	for name, c := range map[string]struct {
		pod    string
		change func(tree)
		want   flow.Change // empty: there must be none
	}{
		"the client's listener": {"netshoot", moved(at(listener, "0.0.0.0_8080", "active_state")...),
			flow.Change{Resource: "listener 0.0.0.0_8080", How: flow.Returned}},
		"the server's listener": {"fortio-server", moved(at(listener, "virtualInbound", "active_state")...),
			flow.Change{Resource: "listener virtualInbound", How: flow.Returned}},
		"the route configuration": {"netshoot", moved(at(tables, "8080")...),
			flow.Change{Resource: "route configuration 8080", How: flow.Returned}},
		"the cluster": {"netshoot", moved(at(clusters, fortio)...),
			flow.Change{Resource: "cluster " + fortio, How: flow.Returned}},
		"another cluster":        {"netshoot", moved(at(clusters, another)...), flow.Change{}},
		"a certificate, by name": {"netshoot", moved(at(secrets, "default")...), flow.Change{}},
		"a listener with a chain for another port since": {"fortio-server", func(d tree) {
			moved(at(listener, "virtualInbound", "active_state")...)(d)
			d.insert(true, `{"name":"0.0.0.0_9090","filter_chain_match":{"destination_port":9090}}`,
				at(listener, "virtualInbound", "active_state", "listener", "filter_chains")...)
		}, flow.Change{}},
		"Envoy was started since, and loaded all of it anew": {"netshoot", func(d tree) {
			moved("configs", "BootstrapConfigDump")(d)
			moved(at(clusters, fortio)...)(d)
		}, flow.Change{Resource: "bootstrap", How: flow.Restarted}},
	} {
		t.Run(name, func(t *testing.T) {
			text := func(change func(tree)) []byte {
				d := tree{t: t, root: value(t, string(recorded(t, c.pod)))}
				change(d)
				text, err := json.Marshal(d.root)
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			got := Texts(c.pod+".mark", text(func(tree) {}), text(c.change), inferred(t))
			if got.Problem != "" {
				t.Fatal(got.Problem)
			}
			c.want.Proxy = c.pod + ".mark"
			switch none := c.want.How == ""; {
			case none && len(got.Changes) > 0, !none && (len(got.Changes) != 1 || got.Changes[0] != c.want):
				t.Errorf("changes %v, want %v", got.Changes, c.want)
			}
		})
	}
}
