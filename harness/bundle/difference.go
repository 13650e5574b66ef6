package bundle

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump/changes"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
)

// Difference compares two bundles by what was asked, configured, inferred, seen and judged. Both
// are judged again first, so that nothing they say of themselves counts. Values that are others at
// each run, such as ephemeral ports and ids, are no difference.
func Difference(ctx context.Context, a, b Contents) (flow.RunDifference, error) {
	d := flow.RunDifference{Schema: flow.RunDifferenceSchema}
	runs, verdicts := [2]flow.Run{}, [2]flow.RunVerdict{}
	for i, c := range []Contents{a, b} {
		var err error
		if runs[i], verdicts[i], err = Judge(ctx, c); err != nil {
			return d, err
		}
		answer := verify.Answered(runs[i])
		d.Sides[i] = flow.RunDifferenceSide{
			Call:     callText(runs[i].Call),
			Answer:   plainAnswer(answer),
			Result:   verdicts[i].Result,
			Problems: verdicts[i].Problems,
		}
	}
	d.Request = requestDifferences(runs[0], runs[1])
	d.Configuration = configurationDifferences(a, b, runs)
	d.Way, d.Outcome = wayDifferences(runs[0].Path, runs[1].Path)
	d.Seen = seenDifferences(runs[0], runs[1])
	d.Answer = field("answer", d.Sides[0].Answer, d.Sides[1].Answer)
	d.Verdict = field("verdict", string(verdicts[0].Result), string(verdicts[1].Result))
	d.Hops = verdictDifferences(verdicts[0], verdicts[1])
	decide(&d)
	return d, nil
}

// decide says which part differs first.
func decide(d *flow.RunDifference) {
	changed := slices.IndexFunc(d.Configuration, func(c flow.Configuration) bool { return len(c.Changes) > 0 })
	unknown := slices.IndexFunc(d.Configuration, func(c flow.Configuration) bool { return c.Problem != "" })
	switch {
	case len(d.Request) > 0:
		f := d.Request[0]
		d.First, d.Decides = flow.PartRequest, fmt.Sprintf(
			"the request: %s was %s, and then %s",
			f.Field,
			orNone(f.A),
			orNone(f.B),
		)
	case changed >= 0:
		d.First, d.Decides = flow.PartConfiguration, "the configuration: "+d.Configuration[changed].Changes[0].String()
	case len(d.Way) > 0:
		w := d.Way[0]
		d.First = flow.PartWay
		d.Decides = strings.TrimSpace(
			fmt.Sprintf("the way at %s %s: %s, and then %s", w.Side, w.Kind, orNone(w.A), orNone(w.B)),
		)
	case d.Outcome != nil:
		d.First, d.Decides = flow.PartWay, fmt.Sprintf("the way's end: %s, and then %s", d.Outcome.A, d.Outcome.B)
	case len(d.Seen) > 0:
		s, same := d.Seen[0], "request, configuration and way"
		if unknown >= 0 {
			same = "request and way"
		}
		d.First, d.Decides = flow.PartSeen, fmt.Sprintf(
			"what was seen at %s %s, with the same %s: %s was %s, and then %s",
			s.Side,
			s.Kind,
			same,
			s.Fact,
			orNone(strings.Join(s.A, ", ")),
			orNone(strings.Join(s.B, ", ")),
		)
	case d.Answer != nil:
		d.First, d.Decides = flow.PartAnswer, fmt.Sprintf("the answer: %s, and then %s", d.Answer.A, d.Answer.B)
	case d.Verdict != nil || len(d.Hops) > 0:
		d.First, d.Decides = flow.PartVerdict, "the verdict: the runs were watched by others, or not as completely"
	case unknown >= 0: // what was not compared is not known to be the same
		c := d.Configuration[unknown]
		d.First, d.Decides = flow.PartConfiguration, fmt.Sprintf(
			"not known: the configuration of %s cannot be compared: %s",
			c.Proxy,
			c.Problem,
		)
	default:
		d.Same, d.Decides = true, "the runs differ in nothing but what is another at each run"
	}
}

func orNone(text string) string { return cmp.Or(text, "none") }

func field(name, a, b string) *flow.FieldDifference {
	if a == b {
		return nil
	}
	return &flow.FieldDifference{Field: name, A: a, B: b}
}

func callText(c flow.Call) string {
	return fmt.Sprintf("%s.%s ➔ %s %s", c.From, c.Namespace, cmp.Or(c.Method, "GET"), c.URL)
}

// plainAnswer is an answer without the time that it took.
func plainAnswer(a flow.Answer) string {
	a.After = ""
	return verify.AnswerText(a)
}

// requestDifferences compares what was asked. The request's own id is another each time.
func requestDifferences(a, b flow.Run) []flow.FieldDifference {
	var all []flow.FieldDifference
	note := func(d *flow.FieldDifference) {
		if d != nil {
			all = append(all, *d)
		}
	}
	x, y := a.Call, b.Call
	note(field("from", x.From+"."+x.Namespace, y.From+"."+y.Namespace))
	note(field("container", x.Container, y.Container))
	note(field("url", x.URL, y.URL))
	note(field("method", cmp.Or(x.Method, "GET"), cmp.Or(y.Method, "GET")))
	names := maps.Clone(x.Headers)
	if names == nil {
		names = flow.Headers{}
	}
	maps.Copy(names, y.Headers)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !strings.EqualFold(name, "x-request-id") {
			note(field("header "+name, strings.Join(x.Headers[name], ", "), strings.Join(y.Headers[name], ", ")))
		}
	}
	note(field("pools", a.Pools, b.Pools))
	return all
}

// configurationDifferences compares the dumps that the runs have of each proxy on the way of
// either. Where only one run has a dump of it, nothing is known, and the Problem says so.
func configurationDifferences(a, b Contents, runs [2]flow.Run) []flow.Configuration {
	proxies := maps.Clone(a.Dumps)
	maps.Copy(proxies, b.Dumps)
	var all []flow.Configuration
	for _, proxy := range slices.Sorted(maps.Keys(proxies)) {
		var ways []flow.Path
		for _, run := range runs {
			if slices.ContainsFunc(run.Path.Hops, func(h flow.Hop) bool { return h.Proxy == proxy }) {
				ways = append(ways, run.Path)
			}
		}
		if len(ways) == 0 {
			continue
		}
		c := flow.Configuration{Proxy: proxy, Problem: "only one of the runs has its dump"}
		was, is := a.Dumps[proxy], b.Dumps[proxy]
		if was != nil && is != nil {
			c = changes.Texts(proxy, was, is, ways...)
		}
		if len(c.Changes) > 0 || c.Problem != "" {
			all = append(all, c)
		}
	}
	return all
}

// A hopPlace is a hop of a way.
type hopPlace struct {
	side flow.Side
	kind flow.HopKind
}

func (p hopPlace) compare(q hopPlace) int {
	return cmp.Or(cmp.Compare(p.side, q.side), cmp.Compare(p.kind.Order(), q.kind.Order()))
}

// paired lines up what two runs say of their hops: the places of either, in their order on the way,
// and what each run has there.
func paired[T any](a, b []T, at func(T) hopPlace) (order []hopPlace, was, is map[hopPlace]T) {
	was, is = map[hopPlace]T{}, map[hopPlace]T{}
	for _, v := range a {
		was[at(v)] = v
	}
	for _, v := range b {
		is[at(v)] = v
	}
	both := maps.Clone(was)
	maps.Copy(both, is)
	return slices.SortedFunc(maps.Keys(both), hopPlace.compare), was, is
}

// wayDifferences compares what was inferred, hop by hop in their order on the way.
func wayDifferences(a, b flow.Path) ([]flow.RunHopDifference, *flow.FieldDifference) {
	order, was, is := paired(a.Hops, b.Hops, func(h flow.Hop) hopPlace { return hopPlace{h.Side, h.Kind} })
	var all []flow.RunHopDifference
	for _, p := range order {
		if x, y := was[p], is[p]; x.Decision != y.Decision {
			all = append(all, flow.RunHopDifference{
				Side: p.side, Kind: p.kind, A: x.Decision, B: y.Decision, WhyA: x.Why, WhyB: y.Why,
			})
		}
	}
	return all, field("outcome", endText(a), endText(b))
}

func endText(p flow.Path) string {
	return strings.TrimSpace(
		fmt.Sprintf("%s %s %s", p.Outcome, strings.ReplaceAll(string(p.Failure), "_", " "), p.Flag),
	)
}

// changing are facts that are others at each run.
var changing = []string{
	flow.FactConnection,
	flow.FactElapsed,
	flow.FactOthers,
	flow.FactConnections,
	flow.FactHandshakes,
}

// seenDifferences compares the values of each fact at each hop.
func seenDifferences(a, b flow.Run) []flow.SeenDifference {
	type key struct {
		hopPlace
		fact string
	}
	type values struct {
		of          [2]map[string]bool
		instruments map[flow.Instrument]bool
	}
	all := map[key]*values{}
	for i, run := range []flow.Run{a, b} {
		for _, o := range run.Observations {
			for _, f := range o.Facts {
				if another(f) {
					continue
				}
				k := key{hopPlace{o.Side, o.Kind}, f.Name}
				if all[k] == nil {
					all[k] = &values{of: [2]map[string]bool{{}, {}}, instruments: map[flow.Instrument]bool{}}
				}
				all[k].of[i][stable(f.Value)] = true
				all[k].instruments[o.Instrument] = true
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(all), func(x, y key) int {
		return cmp.Or(x.compare(y.hopPlace), cmp.Compare(x.fact, y.fact))
	})
	var found []flow.SeenDifference
	for _, k := range order {
		v := all[k]
		x, y := slices.Sorted(maps.Keys(v.of[0])), slices.Sorted(maps.Keys(v.of[1]))
		if slices.Equal(x, y) || len(x) == 0 && !sees(a, k.hopPlace, k.fact) ||
			len(y) == 0 && !sees(b, k.hopPlace, k.fact) {
			continue // what no instrument of a run could see says nothing of it
		}
		found = append(found, flow.SeenDifference{Side: k.side, Kind: k.kind, Fact: k.fact, A: x, B: y,
			Instruments: slices.Sorted(maps.Keys(v.instruments))})
	}
	return found
}

// another says whether a fact is another at each run: one of changing, or the request's own id.
func another(f flow.Seen) bool {
	return slices.Contains(changing, f.Name) ||
		f.Name == flow.FactHeader && strings.HasPrefix(strings.ToLower(f.Value), "x-request-id")
}

// sees says whether an instrument of a run can see a fact at a hop.
func sees(run flow.Run, at hopPlace, fact string) bool {
	return slices.ContainsFunc(run.Watches, func(w flow.Watch) bool {
		return w.Side == at.side && w.Complete && w.Abstains == "" &&
			slices.ContainsFunc(w.Sees, func(c flow.Capability) bool {
				return c.Kind == at.kind && c.Fact == fact
			})
	})
}

// firstEphemeral is where Linux's ephemeral ports begin (net.ipv4.ip_local_port_range).
const firstEphemeral = 32768

// stable is a value without what is another at each run: an ephemeral port.
func stable(value string) string {
	if end, err := netip.ParseAddrPort(value); err == nil && end.Port() >= firstEphemeral {
		return end.Addr().String() + ":*"
	}
	return value
}

// verdictDifferences compares the verdicts on the hops.
func verdictDifferences(a, b flow.RunVerdict) []flow.VerdictDifference {
	order, was, is := paired(a.Hops, b.Hops, func(h flow.HopVerdict) hopPlace { return hopPlace{h.Side, h.Kind} })
	var all []flow.VerdictDifference
	for _, p := range order {
		if x, y := was[p], is[p]; x.State != y.State {
			all = append(all, flow.VerdictDifference{
				Side: p.side, Kind: p.kind, A: x.State, B: y.State, ReasonA: x.Reason, ReasonB: y.Reason,
			})
		}
	}
	return all
}
