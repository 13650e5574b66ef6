package changes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/netfilter"
)

// A Beside is what decides about a request in a pod and stands in no dump: the pod's netfilter
// rules, as package netfilter reads them, and the runtime values of its Envoy, as GET /runtime
// gives them. What is nil was not read.
type Beside struct{ Rules, Runtime []byte }

// Around adds to a comparison of dumps how what stands beside them changed. A runtime value that
// comes from a layer that the dump does not have, such as the one of the admin interface, is a
// problem also where it stays: inference does not know it. Source: Envoy's documentation,
// "Administration interface", GET /runtime.
func Around(c flow.Configuration, dump []byte, before, after Beside) flow.Configuration {
	var problems []string
	note := func(err error) {
		if err != nil {
			problems = append(problems, err.Error())
		}
	}
	if before.Rules != nil && after.Rules != nil {
		c.Compared++
		changed, err := netfilter.Differ(string(before.Rules), string(after.Rules))
		note(err)
		for _, d := range changed {
			how := flow.Removed
			if d.Added {
				how = flow.Added
			}
			c.Changes = append(c.Changes, flow.Change{Proxy: c.Proxy, Resource: "netfilter rules",
				Field: strings.TrimSpace(d.Place + " " + d.Text), How: how})
		}
	}
	was, err := runtimeOf(before.Runtime)
	note(err)
	is, err := runtimeOf(after.Runtime)
	note(err)
	if before.Runtime != nil && after.Runtime != nil {
		c.Compared++
		c.Changes = append(c.Changes, was.changes(c.Proxy, is)...)
	}
	if len(was.Entries) > 0 {
		if unknown := was.beyond(staticLayers(dump)); len(unknown) > 0 {
			problems = append(problems, "its runtime has values that no dump shows: "+strings.Join(unknown, ", "))
		}
	}
	if c.Problem == "" {
		c.Problem = strings.Join(problems, "; ")
	}
	return c
}

// values are the answer of GET /runtime.
type values struct {
	Layers  []string `json:"layers"`
	Entries map[string]struct {
		Layers []string `json:"layer_values"`
		Final  string   `json:"final_value"`
	} `json:"entries"`
}

func runtimeOf(text []byte) (values, error) {
	var v values
	if text == nil {
		return v, nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("read its runtime: %w", err)
	}
	return v, nil
}

// changes are the keys whose value is another one.
func (v values) changes(proxy string, after values) []flow.Change {
	var all []flow.Change
	keys := slices.AppendSeq(slices.Collect(maps.Keys(v.Entries)), maps.Keys(after.Entries))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		was, had := v.Entries[key]
		is, has := after.Entries[key]
		how := flow.Changed
		switch {
		case !had:
			how = flow.Added
		case !has:
			how = flow.Removed
		case was.Final == is.Final:
			continue
		}
		all = append(all, flow.Change{Proxy: proxy, Resource: "runtime", Field: key, How: how})
	}
	return all
}

// beyond names values that are of other layers than some.
func (v values) beyond(static []string) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(v.Entries)) {
		for i, value := range v.Entries[key].Layers {
			if value == "" {
				continue
			}
			if layer := v.layer(i); !slices.Contains(static, layer) {
				all = append(all, fmt.Sprintf("%s of the layer %q", key, layer))
			}
		}
	}
	return all
}

func (v values) layer(i int) string {
	if i < len(v.Layers) {
		return v.Layers[i]
	}
	return fmt.Sprint(i)
}

// staticLayers are the layers of runtime values that a dump has.
func staticLayers(dump []byte) []string {
	d, err := configdump.Parse(dump)
	if err != nil {
		return nil
	}
	defer d.Close()
	var names []string
	for _, layer := range d.Bootstrap().Get("layered_runtime", "layers").Elements() {
		if layer.Get("static_layer").Exists() {
			names = append(names, layer.Get("name").Text())
		}
	}
	return names
}
