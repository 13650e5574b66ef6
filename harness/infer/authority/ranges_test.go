package authority

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

const everyone = "[{address_prefix: 0.0.0.0, prefix_len: 0}]"

// rangeRules are listeners with a chain without a range beside one with the range that holds every
// address. Envoy enters both under one key, and which is found differs from start to start.
var rangeRules = []chainRule{
	{"source ranges", "", []string{"{source_prefix_ranges: " + everyone + "}", "{}"}, "",
		[]flow.Request{from("192.0.2.1:1", "10.0.0.1")}},
	{"a port beside", "", []string{"{source_prefix_ranges: " + everyone + "}", "{source_ports: [7]}"}, "",
		[]flow.Request{from("192.0.2.1:7", "10.0.0.1"), from("192.0.2.1:8", "10.0.0.1")}},
	{"destination ranges", "", []string{"{prefix_ranges: " + everyone + "}", "{}"}, "",
		[]flow.Request{from("192.0.2.1:1", "10.0.0.1")}},
	{"direct source ranges", "", []string{"{direct_source_prefix_ranges: " + everyone + "}", "{}"}, "",
		[]flow.Request{from("192.0.2.1:1", "10.0.0.1")}},
	{"a longer range decides", "", []string{"{source_prefix_ranges: " + everyone + "}", "{}",
		"{source_prefix_ranges: [{address_prefix: 192.0.2.0, prefix_len: 24}]}"}, "",
		[]flow.Request{from("192.0.2.1:1", "10.0.0.1"),
			from("192.0.3.1:1", "10.0.0.1")}},
	{"the other family", "", []string{"{source_prefix_ranges: " + everyone + "}", "{}"}, "",
		[]flow.Request{from("[2001:db8::1]:1", "2001:db8::5")}},
	{"two ranges and none", "",
		[]string{"{source_prefix_ranges: [{address_prefix: 0.0.0.0, prefix_len: 0}, {address_prefix: '::', " +
			"prefix_len: 0}]}",
			"{}"}, "", []flow.Request{from("192.0.2.1:1", "10.0.0.1"), from("[2001:db8::1]:1", "2001:db8::5")}},
	{"no range at all", "", []string{"{source_ports: [7]}", "{}"}, "", []flow.Request{from("192.0.2.1:7", "10.0.0.1"),
		from("192.0.2.1:8", "10.0.0.1")}},
	{"every address alone", "", []string{"{source_prefix_ranges: " + everyone + "}"}, "",
		[]flow.Request{from("192.0.2.1:1", "10.0.0.1"), from("[2001:db8::1]:1", "2001:db8::5")}},
	{"another server name commits before", tlsInspector,
		[]string{"{server_names: [a.b], source_prefix_ranges: " + everyone + "}", "{}"}, "",
		[]flow.Request{hello("a.b"), hello("c.d")}},
}

// TestRangesThatTie starts Envoy several times with the same chains: what it does has to be among
// what is possible, and what is certain the same each time.
func TestRangesThatTie(t *testing.T) {
	const base, starts = 31000, 4
	c, requests, owner := chainConfig(base, rangeRules)
	d := c.dump(t)
	engine := infer.New(d)
	for range starts {
		e := start(t, d, Options{})
		results, err := e.Ask(t.Context(), requests)
		if err != nil {
			t.Fatal(err)
		}
		for i, req := range requests {
			decision, err := engine.Decide(req)
			if err != nil {
				t.Fatal(err)
			}
			cluster, name := lastEntry(results[i]).Cluster, rangeRules[owner[i]].name
			may := slices.ContainsFunc(decision.Possible, func(p flow.Possibility) bool { return p.Cluster == cluster })
			if decision.Cluster != cluster && (decision.Certainty != flow.Chance || !may) {
				t.Errorf("%s, from %s: inferred %s %s %+v, Envoy %s", name, req.Source, decision.Certainty,
					decision.Cluster, decision.Possible, cluster)
			}
		}
	}
}
