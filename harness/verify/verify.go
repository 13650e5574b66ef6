// Package verify is the only place that sees both what was inferred and what was observed. It sets
// each fact that a hop expects against every observation of it and says, hop by hop, whether what
// was seen is what was inferred.
//
// A hop is confirmed when at least one fact that it expects was seen with its expected value (or
// proven to be absent), no observation contradicts it, every observation of it is explained, and
// every deciding fact was seen. Deciding is a fact that at least one instrument says it can see
// there; a fact that no instrument can see is named in the hop's reason and decides nothing. Where
// the way is said to end, nothing may have been seen further on.
package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// Judge compares a run's path with its observations. It needs nothing but the run, and gives the
// same verdict for the same run. It compares what is left when secrets are taken out of both: the
// evidence was read from redacted texts, equal values have equal marks, and different ones have
// different marks, so that the verdict is the one on the values themselves.
//
// Where inference leaves the way open, each way that is possible is judged by the same rules,
// and the one that fits is taken: its hops that are open are learned, and the run is
// consistent, never verified.
func Judge(run flow.Run) flow.RunVerdict {
	verdict := judgeWay(run)
	defer func() { reached(run, verdict) }()
	if certain(run.Path) {
		return verdict
	}
	for i := range run.Path.Variants {
		way := run
		way.Path = (&flow.RunVerdict{Taken: i + 1}).TakenPath(run.Path)
		if other := judgeWay(way); fits(other, verdict) {
			other.Taken = i + 1
			verdict = other
		}
	}
	learn(&verdict, run.Path)
	return verdict
}

// judgeWay judges one way.
func judgeWay(run flow.Run) flow.RunVerdict {
	run.Path, run.Observations = comparable(run.Path), redacted(run.Observations)
	run = withoutCopies(run)
	asSeen := run.Observations
	run.Observations = translated(asSeen)
	j := &judge{run: run, joins: joined(run), asSeen: asSeen, tried: attemptsOf(run)}
	verdict := flow.RunVerdict{Schema: flow.VerdictSchema, Hops: make([]flow.HopVerdict, 0, len(run.Path.Hops))}
	for i := range run.Path.Hops {
		verdict.Hops = append(verdict.Hops, j.hop(i))
	}
	j.unreached(verdict.Hops)
	count(&verdict)
	j.limit(verdict.Hops)
	others := slices.Concat(disturbed(run), run.Untold)
	verdict.Problems = slices.Concat(problems(run), others, unended(run.Path), j.tried.problems, nextOf(run).problems)
	verdict.Without = without(run, verdict.Hops)
	switch {
	case verdict.Refuted > 0 && !anyChanged(run) && len(others) == 0:
		verdict.Result = flow.Mismatch
	case verdict.Refuted > 0 || verdict.NotObserved > 0 || len(verdict.Problems) > 0:
		verdict.Result = flow.Incomplete
	default:
		verdict.Result = flow.Verified
	}
	return verdict
}

// count counts the hops of a verdict by their states.
func count(v *flow.RunVerdict) {
	for _, hop := range v.Hops {
		switch hop.State {
		case flow.Confirmed:
			v.Confirmed++
		case flow.Refuted:
			v.Refuted++
		case flow.Unreached:
			v.NotReached++
		default:
			v.NotObserved++
		}
	}
}

// comparable is a path whose expectations have no secrets, as the observations have none.
func comparable(path flow.Path) flow.Path {
	path.Hops = slices.Clone(path.Hops)
	for n := range path.Hops {
		hop := &path.Hops[n]
		hop.Expect, hop.Choices = slices.Clone(hop.Expect), slices.Clone(hop.Choices)
		for i := range hop.Expect {
			hop.Expect[i].Value = hidden(hop.Expect[i].Value)
		}
		for i := range hop.Choices {
			hop.Choices[i].Name = hidden(hop.Choices[i].Name)
		}
	}
	return path
}

// redacted are the observations without what an instrument may have read of a secret.
func redacted(observations []flow.Observation) []flow.Observation {
	copied := false
	for n := range observations {
		for i, fact := range observations[n].Facts {
			value := hidden(fact.Value)
			if value == fact.Value {
				continue
			}
			if !copied {
				observations, copied = slices.Clone(observations), true
			}
			observations[n].Facts = slices.Clone(observations[n].Facts)
			observations[n].Facts[i].Value = value
		}
	}
	return observations
}

// hidden is a value without its secrets, as it is kept.
func hidden(value string) string { return redact.Value(value) }

// Summary returns the verdict in one line.
func Summary(v flow.RunVerdict) string {
	learned := ""
	if v.Learned > 0 {
		learned = fmt.Sprintf(", %d learned", v.Learned)
	}
	unreached := ""
	if v.NotReached > 0 {
		unreached = fmt.Sprintf(", %d not reached", v.NotReached)
	}
	return fmt.Sprintf("confirmed %d/%d hops%s%s, %d not observed, %d refuted", v.Confirmed, len(v.Hops), learned,
		unreached, v.NotObserved, v.Refuted)
}

// problems says why the run cannot be verified, even with all hops confirmed.
func problems(run flow.Run) []string {
	var all []string
	if len(run.Path.Hops) == 0 {
		all = append(all, "the path has no hops: nothing was inferred that could be verified")
	}
	if len(run.Watches) == 0 {
		all = append(all, "no instrument watched")
	}
	all = append(all, changed(run)...)
	for _, w := range run.Watches {
		name := watchName(w)
		switch {
		case w.Lost > 0 && w.Problem != "":
			all = append(all, fmt.Sprintf("%s lost %d events: %s", name, w.Lost, w.Problem))
		case w.Lost > 0:
			all = append(all, fmt.Sprintf("%s lost %d events", name, w.Lost))
		case !w.Complete && w.Problem != "":
			all = append(all, name+": "+w.Problem)
		case !w.Complete:
			all = append(all, name+" did not see everything")
		}
	}
	return all
}

// unended says of a path that is forwarded that it ends neither at an application nor where the
// mesh ends: the request came somewhere, and the path does not say where.
func unended(path flow.Path) []string {
	if path.Outcome != flow.Forwarded || len(path.Hops) == 0 {
		return nil
	}
	last := path.Hops[len(path.Hops)-1]
	if last.Kind == flow.App || last.Kind == flow.Connect && path.Beyond != "" {
		return nil
	}
	text := fmt.Sprintf("the path is forwarded, and it ends at %s %s instead of at an application", last.Side,
		last.Kind)
	if last.Kind == flow.Connect && last.Side == flow.Client {
		text += ": no pod that was watched has the address that it was sent to (name the pod: --watch POD)"
	}
	return []string{text}
}

// whole reports whether a watch saw everything that it can see.
func whole(w flow.Watch) bool { return w.Complete && w.Lost == 0 }

// watchName says which instrument watched where.
func watchName(w flow.Watch) string {
	name := string(w.Instrument)
	if w.Pod != "" {
		return name + " of " + w.Pod
	}
	if w.Side != "" {
		return string(w.Side) + " " + name
	}
	return name
}

// abstentions says of the instruments that could have seen a hop why they tell nothing of it.
func (j *judge) abstentions(hop *flow.Hop) []string {
	var all []string
	for _, w := range j.run.Watches {
		if w.Abstains != "" && sameProxy(hop, w.Side, w.Pod) && canSee(hop, w.Instrument) {
			all = append(all, watchName(w)+" abstains: "+w.Abstains)
		}
	}
	return all
}

type judge struct {
	run    flow.Run
	asSeen []flow.Observation // the run's observations before ports were translated
	joins  map[string][]joinedValue
	open   []conflict // what conflicts found
	tried  tried
}

// hop judges one hop.
func (j *judge) hop(i int) flow.HopVerdict {
	hop := &j.run.Path.Hops[i]
	v := flow.HopVerdict{Hop: i, Kind: hop.Kind, Side: hop.Side}
	var refuted, missing, unwatched []string
	for _, fact := range hop.Expect {
		if fact.May {
			continue
		}
		r := j.fact(hop, fact)
		v.Evidence = append(v.Evidence, r.evidence...)
		switch {
		case r.refuted != "":
			refuted = append(refuted, r.refuted)
		case r.missing != "":
			missing = append(missing, r.missing)
		case r.unwatched:
			unwatched = append(unwatched, name(fact))
		}
	}
	for _, r := range j.broken(hop) {
		v.Evidence = append(v.Evidence, r)
		refuted = append(refuted, "the order of events: "+r.Expected)
	}
	more, reasons := j.unexplained(i)
	v.Evidence, refuted = append(v.Evidence, more...), append(refuted, reasons...)
	missing = append(missing, j.undecided(i)...)
	if i == len(j.run.Path.Hops)-1 {
		further, reasons := j.beyond()
		v.Evidence, refuted = append(v.Evidence, further...), append(refuted, reasons...)
	}
	agrees := slices.ContainsFunc(v.Evidence, func(e flow.Evidence) bool { return e.Agrees })
	switch {
	case len(refuted) > 0:
		v.State, v.Reason = flow.Refuted, joinReasons(refuted)
	case len(missing) > 0:
		v.State, v.Reason = flow.NotObserved, strings.Join(append(missing, j.abstentions(hop)...), "; ")
	case agrees:
		v.State = flow.Confirmed
		if len(unwatched) > 0 {
			v.Reason = "not watched: " + strings.Join(unwatched, ", ")
		}
	default:
		v.State, v.Reason = flow.NotObserved, j.unseen(hop, unwatched)
	}
	return v
}

// unseen says why no instrument saw a hop, and which would.
func (j *judge) unseen(hop *flow.Hop, unwatched []string) string {
	what := "inference predicts nothing that an instrument could see"
	if len(unwatched) > 0 {
		what = "no instrument that ran can see " + strings.Join(unwatched, ", ")
	}
	if would := witnesses(hop, j.run); would != "" {
		what += "; " + would + " would"
	}
	return strings.Join(append([]string{what}, j.abstentions(hop)...), "; ")
}

// name names a fact in a reason.
func name(f flow.Fact) string {
	switch {
	case f.Absent && f.Value != "":
		return "absence of " + f.Name + "=" + f.Value
	case f.Absent:
		return "absence of " + f.Name
	case flow.FactOf(f.Name).Number != flow.One && f.Value != "":
		return f.Name + "=" + f.Value
	}
	return f.Name
}
