package configdump

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestAhead holds the index that several processors make of a dump against the scanner's own: the
// same resources, in the same order, at the same places, and the same error.
func TestAhead(t *testing.T) {
	section := func(kind, array, field string, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{%q: {"name": "%s-%d", "cluster_name": "e-%d"}}`, field, kind, i, i))
		}
		return fmt.Sprintf(`{
   "@type" :  "type.googleapis.com/envoy.admin.v3.%sConfigDump", %q: [%s]}`, kind, array, strings.Join(all, ",\n"))
	}
	// What looks like a section inside of another one is none.
	bootstrap := `{"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"node": {"id": "a"},
		"x": [{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "static_clusters": [{"cluster":
		{"name": "none"}}]}], "text": "{\"@type\":\"type.googleapis.com/envoy.admin.v3.ClustersConfigDump"}}`
	whole := `{"configs": [` + strings.Join([]string{bootstrap,
		section("Clusters", "dynamic_active_clusters", "cluster", 300),
		section("Routes", "dynamic_route_configs", "route_config", 200),
		section("Clusters", "static_clusters", "cluster", 3),
		section("Endpoints", "dynamic_endpoint_configs", "endpoint_config", 200),
		`{"@type":"type.googleapis.com/envoy.admin.v3.SecretsConfigDump"}`, bootstrap,
	}, ",\n") + `]}`
	for name, text := range map[string]string{
		"whole": whole, "cut off": whole[:len(whole)*3/4],
		"damaged at the end":       strings.Replace(whole, `"e-199"`, `e`, 1),
		"damaged at the beginning": strings.Replace(whole, `"Clusters-7"`, `}`, 1),
		"another kind of end":      whole[:len(whole)-1], "none": `{"configs": []}`, "no dump": `{"a": 1}`,
	} {
		want, wantErr := buildWith([]byte(text), 0)
		for range 20 {
			got, err := buildWith([]byte(text), 2)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%s: %v, and alone %v", name, err, wantErr)
			}
			if err == nil && !reflect.DeepEqual(places(got), places(want)) {
				t.Fatalf("%s:\n%v\nand alone\n%v", name, places(got), places(want))
			}
		}
	}
	d, err := buildWith(bytes.Clone([]byte(whole)), 3)
	if err != nil || len(d.Resources(Cluster)) != 303 {
		t.Fatalf("%d clusters, %v", len(d.Resources(Cluster)), err)
	}
}

// places are all resources of a dump, with where they stand.
func places(d *Dump) []string {
	all := []string{d.Bootstrap().Pointer(), fmt.Sprint(slices.Sorted(maps.Keys(d.sections)))}
	for kind := Listener; kind <= Extension; kind++ {
		for _, r := range d.Resources(kind) {
			v := r.Value()
			all = append(all, fmt.Sprint(kind, r.Name, r.State, v.Pointer(), v.start, v.end))
		}
	}
	return all
}
