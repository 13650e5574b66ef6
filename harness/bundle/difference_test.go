package bundle

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestDifference changes one thing of a run and holds which difference is said to decide.
func TestDifference(t *testing.T) {
	dump := func(c *Contents, pod, from, to string) {
		c.Dumps = maps.Clone(c.Dumps)
		text := bytes.ReplaceAll(c.Dumps[pod], []byte(from), []byte(to))
		if bytes.Equal(text, c.Dumps[pod]) {
			panic("the dump has no " + from)
		}
		c.Dumps[pod] = text
	}
	base := kept(t, "outbound")
	for name, c := range map[string]struct {
		change  func(*Contents)
		first   flow.Part
		decides string
	}{
		"nothing": {func(*Contents) {}, "", "another at each run"},
		"a header": {func(c *Contents) {
			c.Run.Call.Headers = flow.Headers{"x-team": {"red"}}
			c.Question.Call.Headers = c.Run.Call.Headers
		}, flow.PartRequest, "header x-team was none, and then red"},
		"the method": {func(c *Contents) {
			c.Run.Call.Method, c.Question.Call.Method = "POST", "POST"
		}, flow.PartRequest, "method was GET, and then POST"},
		"the way of load balancing": {func(c *Contents) {
			dump(c, "netshoot.mark", `"LEAST_REQUEST"`, `"ROUND_ROBIN"`)
		}, flow.PartConfiguration, "lb_policy"},
		"what curl was told": {func(c *Contents) {
			recording := *c.Recording
			recording.Curl = bytes.ReplaceAll(recording.Curl, []byte("200"), []byte("503"))
			c.Recording = &recording
		}, flow.PartSeen, "status was 200, and then"},
		"who watched": {func(c *Contents) {
			recording := *c.Recording
			recording.Curl = nil
			c.Recording = &recording
		}, flow.PartVerdict, "watched by others"},
	} {
		t.Run(name, func(t *testing.T) {
			other := base
			c.change(&other)
			d, err := Difference(t.Context(), base, other)
			if err != nil {
				t.Fatal(err)
			}
			if d.First != c.first || d.Same != (c.first == "") || !strings.Contains(d.Decides, c.decides) {
				t.Errorf("first %q: %s", d.First, d.Decides)
			}
		})
	}
	d, err := Difference(t.Context(), kept(t, "inbound"), base)
	if err != nil {
		t.Fatal(err)
	}
	if d.First != flow.PartRequest || len(d.Way) == 0 || len(d.Seen) == 0 || d.Answer == nil || d.Verdict != nil {
		t.Errorf("two runs: %+v", d)
	}
}

// TestDifferenceUnknown holds that runs whose configuration cannot be compared are not said to be
// the same.
func TestDifferenceUnknown(t *testing.T) {
	base := kept(t, "outbound")
	run, _, err := Judge(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	for name, dump := range map[string][]byte{"no dump": nil, "no config dump": []byte("[]")} {
		t.Run(name, func(t *testing.T) {
			other := base
			other.Dumps = maps.Clone(base.Dumps)
			if other.Dumps["netshoot.mark"] = dump; dump == nil {
				delete(other.Dumps, "netshoot.mark")
			}
			all := configurationDifferences(base, other, [2]flow.Run{run, run})
			if len(all) != 1 || all[0].Proxy != "netshoot.mark" || all[0].Problem == "" {
				t.Fatalf("%+v", all)
			}
			d := flow.RunDifference{Configuration: all}
			if decide(&d); d.Same || d.First != flow.PartConfiguration ||
				!strings.Contains(d.Decides, "cannot be compared") {
				t.Errorf("same: %v, %s: %s", d.Same, d.First, d.Decides)
			}
		})
	}
}
