package authority

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/infer/filters"
)

// TestCatalogue asks Envoy which filters it has, and fails for one that the
// catalogue does not know.
func TestCatalogue(t *testing.T) {
	c := config{clusters: stubbed("a"), listeners: []string{httpListener(20000, "", vhost(toA))}}
	text, err := start(t, c.dump(t), Options{}).ConfigDump()
	if err != nil {
		t.Fatal(err)
	}
	var dump struct {
		Configs []struct {
			Bootstrap struct {
				Node struct {
					Extensions []struct {
						Name     string   `json:"name"`
						Category string   `json:"category"`
						Types    []string `json:"type_urls"`
					} `json:"extensions"`
				} `json:"node"`
			} `json:"bootstrap"`
		} `json:"configs"`
	}
	if err := json.Unmarshal(text, &dump); err != nil {
		t.Fatal(err)
	}
	known := map[string]func(kind, name string) *filters.Row{
		"envoy.filters.http": filters.HTTP, "envoy.filters.http.upstream": filters.HTTP,
		"envoy.filters.network": filters.Network, "envoy.filters.listener": filters.Listener,
	}
	seen := 0
	for _, section := range dump.Configs {
		for _, x := range section.Bootstrap.Node.Extensions {
			find, ok := known[x.Category]
			if !ok || len(x.Types) == 0 { // an older name of a filter that is listed too has no type
				continue
			}
			seen++
			found := false
			for _, kind := range x.Types { // one of them is of the filter, the others are of routes
				found = found || find(kind, "") != nil
			}
			if !found {
				t.Errorf("%s %s (%s) has no row", x.Category, x.Name, strings.Join(x.Types, ", "))
			}
		}
	}
	if seen < 100 {
		t.Errorf("Envoy lists %d filters only", seen)
	}
}
