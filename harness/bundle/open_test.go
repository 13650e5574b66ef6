package bundle

import (
	"os"
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// open is the run of the scenario open_lua on a real lab with every instrument: a script chooses
// the route, so that the run is consistent, and six of its hops are learned. testdata/open was
// written by `lab run open_lua --bundle`.
func open(t *testing.T) Contents { return kept(t, "open") }

// TestOpenMutations mutates a run with learned hops in the ways of TestMutations, on the way that
// was taken: no mutant stays consistent.
func TestOpenMutations(t *testing.T) {
	c := open(t)
	_, verdict := judged(t, c)
	if verdict.Result != flow.Consistent || verdict.Learned != 6 || verdict.Taken == 0 {
		t.Fatalf("the run itself is %s, %d learned, way %d: %q", verdict.Result, verdict.Learned, verdict.Taken,
			verdict.Problems)
	}
	families := map[string][]mutation{"taken away": takenAway(c), "dropped": dropped(c), "altered": altered(c),
		"lies": lies(c), "learned": ofLearned(c),
		"probes taken away": withoutProbes(c), "events dropped": withoutEvents(c), "events altered": alteredEvents(c)}
	if os.Getenv("FLOWPROOF_MUTANTS") == "" { // those of the outbound run are as many again
		for _, family := range []string{"dropped", "lies", "events dropped", "events altered"} {
			families[family] = third(families[family])
		}
	}
	mutate(t, c, families)
}

// third is each third of mutations.
func third(all []mutation) []mutation {
	var some []mutation
	for i := 0; i < len(all); i += 3 {
		some = append(some, all[i])
	}
	return some
}

// ofLearned are the mutations of what was learned: another way is said to be taken, the way
// that was taken is none of those that are possible, and a hop that was open is said to be
// certain or confirmed.
func ofLearned(c Contents) []mutation {
	all := []mutation{
		{"another way was taken", func(c *Contents) {
			c.Verdict.Taken = (c.Verdict.Taken + 1) % (len(c.Run.Path.Variants) + 1)
		}},
		{"no way but the guess", func(c *Contents) { c.Run.Path.Variants = nil }},
		{"a way is not possible", func(c *Contents) { c.Run.Path.Variants = slices.Delete(c.Run.Path.Variants, 0, 1) }},
		{"nothing is open", func(c *Contents) { c.Run.Path.Certainty, c.Run.Path.Depends = flow.Certain, nil }},
		{"there are others, or none", func(c *Contents) { c.Run.Path.Others = !c.Run.Path.Others }},
		{"none is learned", func(c *Contents) { c.Verdict.Confirmed, c.Verdict.Learned = len(c.Verdict.Hops), 0 }},
		{"it is verified", func(c *Contents) { c.Verdict.Result = flow.Verified }},
	}
	for i, hop := range c.Verdict.Hops {
		if hop.State != flow.Learned {
			continue
		}
		all = append(all, mutation{string(hop.Kind) + " is confirmed", func(c *Contents) {
			c.Verdict.Hops = slices.Clone(c.Verdict.Hops)
			c.Verdict.Hops[i].State = flow.Confirmed
		}})
		for k, e := range hop.Evidence {
			all = append(all, mutation{string(hop.Kind) + " learned another " + e.Fact, func(c *Contents) {
				c.Verdict.Hops = slices.Clone(c.Verdict.Hops)
				c.Verdict.Hops[i].Evidence = slices.Clone(c.Verdict.Hops[i].Evidence)
				c.Verdict.Hops[i].Evidence[k].Seen, c.Verdict.Hops[i].Evidence[k].Expected = "altered", "altered"
			}})
		}
	}
	return all
}
