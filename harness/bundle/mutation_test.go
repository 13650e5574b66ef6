package bundle

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
)

// outbound is the run of the outbound scenario on a real lab with every instrument:
// testdata/outbound was written by `lab run outbound --bundle`.
func outbound(t *testing.T) Contents { return kept(t, "outbound") }

// clone is deep enough for a mutation.
func (c Contents) clone() Contents {
	recording := *c.Recording
	c.Recording = &recording
	c.Run.Path.Hops = cloneHops(c.Run.Path.Hops)
	c.Run.Path.Variants = slices.Clone(c.Run.Path.Variants)
	for i := range c.Run.Path.Variants {
		c.Run.Path.Variants[i].Hops = cloneHops(c.Run.Path.Variants[i].Hops)
	}
	c.Run.Observations = slices.Clone(c.Run.Observations)
	for i := range c.Run.Observations {
		c.Run.Observations[i].Facts = slices.Clone(c.Run.Observations[i].Facts)
	}
	return c
}

func cloneHops(hops []flow.Hop) []flow.Hop {
	hops = slices.Clone(hops)
	for i := range hops {
		hops[i].Expect = slices.Clone(hops[i].Expect)
	}
	return hops
}

// taken are the hops of the way that was taken, to be changed.
func (c Contents) taken() []flow.Hop {
	if n := c.Verdict.Taken; n > 0 {
		return c.Run.Path.Variants[n-1].Hops
	}
	return c.Run.Path.Hops
}

// A mutation changes one thing about a run.
type mutation struct {
	name   string
	change func(c *Contents)
}

// A recordedText is one text of a recording.
type recordedText struct {
	text []byte
	set  func(text []byte) // puts another one in its place; nil takes it away
}

// texts are the recording's texts by the names of their files.
func texts(r *observe.Recording) map[string]recordedText {
	all := map[string]recordedText{curlFile: {r.Curl, func(text []byte) { r.Curl = text }}}
	for _, pod := range []*observe.Pod{&r.Client, &r.Server} {
		for _, part := range observe.Parts() {
			dir, suffix := place(part)
			all[dir+"/"+pod.Name+suffix] = recordedText{pod.Part(part), func(text []byte) { pod.Keep(part, text) }}
		}
	}
	return all
}

// takenAway are the mutations that take a whole text away, as if its instrument had not run, or had
// seen nothing. What was there before the request may well be nothing, so such a text is only taken
// away; and of the server's sockets before it, which serve to tell two connections apart where
// there are two, nothing at all was observed here.
func takenAway(c Contents) []mutation {
	var all []mutation
	for _, name := range slices.Sorted(maps.Keys(texts(c.Recording))) {
		if name == "sockets/"+c.Recording.Server.Name+".before.txt" {
			continue
		}
		if texts(c.Recording)[name].text != nil {
			all = append(all, mutation{name + " taken away", func(c *Contents) { texts(c.Recording)[name].set(nil) }})
		}
		if !strings.HasSuffix(name, ".before.txt") {
			all = append(all, mutation{name + " emptied", func(c *Contents) { texts(c.Recording)[name].set([]byte{}) }})
		}
	}
	return all
}

// dropped are the mutations that drop one event: a line from which an observation was made.
func dropped(c Contents) []mutation {
	var all []mutation
	seen := map[string]bool{}
	for _, o := range c.Run.Observations {
		line := eventOf(o)
		for _, name := range slices.Sorted(maps.Keys(texts(c.Recording))) {
			text := texts(c.Recording)[name].text
			if line == "" || strings.Contains(name, ".before.") || seen[name+line] ||
				!bytes.Contains(text, []byte(line)) || !mayHold(name, o) {
				continue
			}
			seen[name+line] = true
			all = append(all, mutation{fmt.Sprintf("%s without %.60q", name, line), func(c *Contents) {
				at := texts(c.Recording)[name]
				var kept [][]byte
				for row := range bytes.Lines(at.text) {
					if !bytes.Contains(row, []byte(line)) {
						kept = append(kept, row)
					}
				}
				at.set(bytes.Join(kept, nil))
			}})
		}
	}
	return all
}

// eventOf is what of an observation's raw text stands in the file it was read from: its first line,
// a counter's name, a rule.
func eventOf(o flow.Observation) string {
	line, _, _ := strings.Cut(o.Raw, "\n")
	switch o.Instrument {
	case flow.Stats:
		line, _, _ = strings.Cut(line, ": ")
	case flow.Netfilter:
		if _, rule, ok := strings.Cut(line, "] -A "); ok {
			line = "-A " + rule
		}
	}
	return strings.TrimSpace(line)
}

// mayHold reports whether a file is the one that an observation's instrument reads.
func mayHold(name string, o flow.Observation) bool {
	dirs := map[flow.Instrument][]string{flow.EnvoyLog: {logDir}, flow.AccessLog: {logDir}, flow.Sockets: {"sockets"},
		flow.Stats: {"stats"}, flow.Netfilter: {"netfilter", "conntrack"}}
	if o.Instrument == flow.Curl {
		return name == curlFile
	}
	dir, file, _ := strings.Cut(name, "/")
	return slices.Contains(dirs[o.Instrument], dir) && strings.HasPrefix(file, o.Where.Pod+".")
}

// altered are the mutations of the path: each fact that was judged is given another value, and
// each hop another proxy.
func altered(c Contents) []mutation {
	_, whole := c.judge(c.inferred(), c.evidence())
	multiple := []string{flow.FactFilter, flow.FactHTTPFilter, flow.FactNetworkFilter, flow.FactListening,
		flow.FactDetails}
	var all []mutation
	for i, h := range c.taken() {
		where := fmt.Sprintf("%s %s", h.Side, h.Kind)
		all = append(all, mutation{where + " of another proxy", func(c *Contents) {
			c.taken()[i].Proxy = "another.mark"
		}})
		for k, f := range h.Expect {
			if !slices.ContainsFunc(whole.Hops[i].Evidence, func(e flow.Evidence) bool {
				return e.Fact == f.Name && (e.Expected == f.Value || !slices.Contains(multiple, f.Name))
			}) {
				continue // no instrument could see it, and the verdict says so
			}
			all = append(all, mutation{where + " " + f.Name + " altered", func(c *Contents) {
				f := &c.taken()[i].Expect[k]
				switch {
				case f.Absent:
					f.Absent = false // it must be there now
				case slices.Contains(multiple, f.Name):
					f.Absent = true // it must not be there any more
				default:
					f.Value = "altered"
				}
			}})
		}
	}
	return all
}

// lies are the mutations of what was written down: each observed value is another one than the
// evidence shows, and each observation is missing.
func lies(c Contents) []mutation {
	var all []mutation
	for i, o := range c.Run.Observations {
		where := fmt.Sprintf("%s %s %s", o.Instrument, o.Side, o.Kind)
		all = append(all, mutation{where + " left out", func(c *Contents) {
			c.Run.Observations = slices.Delete(c.Run.Observations, i, i+1)
		}})
		for k, f := range o.Facts {
			all = append(all, mutation{where + " lies about " + f.Name, func(c *Contents) {
				c.Run.Observations[i].Facts[k].Value = "altered"
			}})
		}
	}
	return all
}

// TestMutations mutates a run that is verified in every way above, one at a time, with checksums
// that fit: none may be verified. They are judged from the raw evidence, as `lab verify` does.
func TestMutations(t *testing.T) {
	c := outbound(t)
	run, verdict := judged(t, c)
	if verdict.Result != flow.Verified {
		t.Fatalf("the run itself is %s: %q", verdict.Result, verdict.Problems)
	}
	instruments := map[flow.Instrument]bool{}
	for _, w := range run.Watches {
		instruments[w.Instrument] = true
	}
	if len(instruments) != 7 {
		t.Errorf("%d instruments watched, want log, access-log, sockets, stats, netfilter, curl and ebpf",
			len(instruments))
	}
	mutate(t, c, map[string][]mutation{"taken away": takenAway(c), "dropped": dropped(c), "altered": altered(c),
		"lies":              lies(c),
		"probes taken away": withoutProbes(c), "events dropped": withoutEvents(c), "events altered": alteredEvents(c)})
}

// mutate judges each mutant of a run: none may be verified, and none consistent.
func mutate(t *testing.T, c Contents, families map[string][]mutation) {
	t.Helper()
	whole, others := c.evidence(), c.withoutTrace().evidence()
	total := 0
	for family, mutations := range families {
		t.Logf("%s: %d mutations", family, len(mutations))
		total += len(mutations)
		for _, m := range mutations {
			mutant := c.clone()
			m.change(&mutant)
			var shown evidence // what is the same as before is not read again
			way := inferred{path: mutant.Run.Path, held: mutant.Run.Configuration}
			switch family {
			case "taken away":
				way.held, way.problems = mutant.held(mutant.Run.Path)
				shown = mutant.evidence()
			case "altered", "lies":
				shown = whole
			case "learned":
				way, shown = mutant.inferred(), whole
			case "probes taken away", "events dropped", "events altered":
				shown = others.and(mutant.Recording)
			default:
				shown = mutant.evidence()
			}
			if _, v := mutant.judge(way, shown); v.Result == flow.Verified || v.Result == flow.Consistent {
				t.Errorf("%s: %s, and the run is still %s", family, m.name, v.Result)
			}
		}
	}
	if total < 200 {
		t.Errorf("only %d mutations", total)
	}
}
