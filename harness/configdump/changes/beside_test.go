package changes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestAround compares what stands beside the dumps: netfilter's rules and the runtime.
func TestAround(t *testing.T) {
	const none = `{"layers":["global config","admin"],"entries":{"a.b":{"final_value":"1","layer_values":["1",""]}}}`
	const other = `{"layers":["global config","admin"],"entries":{"a.b":{"final_value":"2","layer_values":["2",""]}}}`
	const more = `{"layers":["global ` +
		`config","admin"],"entries":{"a.b":{"final_value":"1","layer_values":["1",""]},"c":{"final_value":"0",` +
		`"layer_values":["0",""]}}}`
	const admin = `{"layers":["global config","admin"],"entries":{"a.b":{"final_value":"9","layer_values":["1","9"]}}}`
	const rules = "*nat\n[1:60] -A OUTPUT -j ISTIO_OUTPUT\nCOMMIT\n"
	for _, c := range []struct {
		name          string
		before, after Beside
		compared      int
		want, problem string
	}{
		{"nothing was read", Beside{}, Beside{}, 0, "[]", ""},
		{"nothing changed", Beside{[]byte(rules), []byte(none)}, Beside{[]byte(rules), []byte(none)}, 2, "[]", ""},
		{"counters", Beside{Rules: []byte(rules)},
			Beside{Rules: []byte(strings.Replace(rules, "1:60", "2:120", 1))}, 1, "[]", ""},
		{"a rule more", Beside{Rules: []byte(rules)}, Beside{Rules: []byte(rules + "*raw\n-A OUTPUT -j DROP\n")}, 1,
			"[netfilter rules of netshoot.mark: raw *raw was added netfilter rules of netshoot.mark: raw -A OUTPUT " +
				"-j DROP was added]", ""},
		{"a rule less", Beside{Rules: []byte(rules)}, Beside{Rules: []byte("*nat\nCOMMIT\n")}, 1,
			"[netfilter rules of netshoot.mark: nat -A OUTPUT -j ISTIO_OUTPUT was removed]", ""},
		{"another value", Beside{Runtime: []byte(none)}, Beside{Runtime: []byte(other)}, 1,
			"[runtime of netshoot.mark: a.b was changed]", ""},
		{"a value more", Beside{Runtime: []byte(none)}, Beside{Runtime: []byte(more)}, 1,
			"[runtime of netshoot.mark: c was added]", ""},
		{"a value less", Beside{Runtime: []byte(more)}, Beside{Runtime: []byte(none)}, 1,
			"[runtime of netshoot.mark: c was removed]", ""},
		{"a value from the admin interface that stays", Beside{Runtime: []byte(admin)},
			Beside{Runtime: []byte(admin)}, 1, "[]",
			`its runtime has values that no dump shows: a.b of the layer "admin"`},
		{"no JSON", Beside{Runtime: []byte(none)}, Beside{Runtime: []byte("{")}, 1,
			"[runtime of netshoot.mark: a.b was removed]", "read its runtime: "},
		{"of nft no JSON", Beside{Rules: []byte(rules)}, Beside{Rules: []byte(rules + "{")}, 1, "[]",
			"compare netfilter rules: after: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Around(flow.Configuration{Proxy: "netshoot.mark"}, recorded(t, "netshoot"), c.before, c.after)
			if got.Compared != c.compared || fmt.Sprint(got.Changes) != c.want ||
				!strings.HasPrefix(got.Problem, c.problem) || (got.Problem != "") != (c.problem != "") {
				t.Errorf("%d compared, %v, %q", got.Compared, got.Changes, got.Problem)
			}
		})
	}
}

func FuzzAround(f *testing.F) {
	f.Add(`{"layers":["a"],"entries":{"k":{"layer_values":["1"],"final_value":"1"}}}`, `{"layers":["a"],"entries":{}}`)
	f.Fuzz(func(t *testing.T, before, after string) {
		got := Around(flow.Configuration{Proxy: "x.y"}, nil, Beside{Runtime: []byte(before)},
			Beside{Runtime: []byte(before)})
		if len(got.Changes) > 0 {
			t.Errorf("%q differs from itself: %v", before, got.Changes)
		}
		Around(flow.Configuration{Proxy: "x.y"}, nil, Beside{Runtime: []byte(before)}, Beside{Runtime: []byte(after)})
	})
}
