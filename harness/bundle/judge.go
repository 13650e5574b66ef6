package bundle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/flowproof/lab/harness/configdump/changes"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/input"
	"github.com/flowproof/lab/internal/redact"
)

// Judge judges a bundle's run again, by evidence and not by what the bundle says of itself: the
// path is inferred from the dumps, the observations are made of the raw texts, and what the run,
// its verdict and its recording say is held against both. It returns the run that was judged. What
// does not agree, and what cannot be done again, is a problem that the verdict names, and a run
// with a problem is never verified. It ends early with ctx.
func Judge(ctx context.Context, c Contents) (run flow.Run, verdict flow.RunVerdict, err error) {
	err = input.Do(ctx, func() error {
		run, verdict = c.judge(c.inferred(), c.evidence())
		return nil
	})
	return run, verdict, err
}

// evidence is what the raw evidence of a run shows.
type evidence struct {
	seen     []flow.Observation
	watches  []flow.Watch
	problems []string
}

// evidence reads the raw evidence. Where none is kept, what was written down stands,
// and cannot be checked.
func (c Contents) evidence() evidence {
	if c.Recording == nil {
		e := evidence{seen: c.Run.Observations, watches: c.Run.Watches}
		e.problems = []string{"bundle: no raw evidence is kept, so what was observed cannot be checked"}
		return e
	}
	var e evidence
	var err error
	if e.seen, e.watches, err = c.Recording.Observe(); err != nil {
		e.problems = []string{fmt.Sprintf("bundle: %v", err)}
	}
	return e
}

// judge judges the run by a path and by evidence.
func (c Contents) judge(i inferred, e evidence) (flow.Run, flow.RunVerdict) {
	run := c.Run
	var problems []string
	for _, p := range c.Changed {
		problems = append(problems, "bundle: "+p)
	}
	if c.Old {
		problems = append(problems, "bundle: it is of the layout "+oldSchema+", which does not keep what inference "+
			"was asked (run it again)")
	}
	problems = append(append(problems, i.problems...), e.problems...)
	problems = append(problems, compareObservations(run.Observations, e.seen)...)
	problems = append(problems, said(runFile, "/watches", run.Watches, e.watches, "the raw evidence shows")...)
	run.Path, run.Observations, run.Watches, run.Configuration = i.path, e.seen, e.watches, i.held
	verdict := verify.Judge(run)
	problems = append(problems, c.sameVerdict(verdict)...)
	problems = append(problems, c.requestProblems(run)...)
	problems = append(problems, c.recordingProblems(run)...)
	verdict.Problems = append(verdict.Problems, problems...)
	if (verdict.Result == flow.Verified || verdict.Result == flow.Consistent) && len(problems) > 0 {
		verdict.Result = flow.Incomplete
	}
	return run, verdict
}

// held compares the dumps of before and after the request on the way. Where one of after is
// not kept, what was written down as the reason stands; that it held cannot be said then,
// and problems say so.
func (c Contents) held(path flow.Path) (held []flow.Configuration, problems []string) {
	asked := slices.DeleteFunc([]string{c.Question.Client, c.Question.Server}, func(pod string) bool {
		return pod == ""
	})
	slices.Sort(asked)
	for _, pod := range slices.Compact(asked) {
		if after, ok := c.After[pod]; ok {
			kept, problem := c.beside(pod, changes.Texts(pod, c.Dumps[pod], after, path))
			held, problems = append(held, kept), append(problems, problem...)
			continue
		}
		missing := flow.Configuration{Proxy: pod, Problem: "the dump of after the request is not kept"}
		for _, written := range c.Run.Configuration {
			if written.Proxy == pod && written.Problem != "" {
				missing.Problem = written.Problem
			}
		}
		held, problems = append(held, missing), append(problems, "bundle: of "+pod+" "+missing.Problem)
	}
	return held, problems
}

// beside adds what was recorded of a pod beside its dumps: its netfilter rules, and its runtime,
// which is read with the statistics.
func (c Contents) beside(pod string, held flow.Configuration) (flow.Configuration, []string) {
	if c.Recording == nil {
		return held, nil
	}
	recorded, _ := c.Recording.Pod(pod)
	before := changes.Beside{Rules: recorded.Part(instrument.RulesBefore),
		Runtime: recorded.Part(instrument.RuntimeBefore)}
	after := changes.Beside{Rules: recorded.Part(instrument.RulesAfter),
		Runtime: recorded.Part(instrument.RuntimeAfter)}
	var problems []string
	for _, part := range []struct {
		moment         string
		stats, runtime []byte
	}{{"before", recorded.Part(instrument.StatsBefore), before.Runtime}, {"after", recorded.Part(instrument.StatsAfter),
		after.Runtime}} {
		if part.stats != nil && part.runtime == nil && !c.Old {
			problems = append(problems,
				fmt.Sprintf("bundle: the runtime of %s %s the request is not kept, and its statistics are",
					pod, part.moment))
		}
	}
	return changes.Around(held, c.Dumps[pod], before, after), problems
}

// sameVerdict holds the verdict that was written down against the one that was come to now.
func (c Contents) sameVerdict(now flow.RunVerdict) []string {
	return said(verdictFile, "", c.Verdict, now, "judged again it")
}

// plain is a value as a bundle keeps it: in JSON, without secrets, and decoded again.
func plain(value any) any {
	text, err := json.Marshal(value)
	if err == nil {
		text, err = redact.JSON(text)
	}
	var decoded any
	if err == nil {
		err = json.Unmarshal(text, &decoded)
	}
	if err != nil {
		return fmt.Sprintf("cannot be compared: %v", err)
	}
	return decoded
}

// said returns how two values differ as problems: file says one thing, and what was
// found is another.
func said(file, at string, written, found any, how string) []string {
	var problems []string
	for _, d := range differences(at, plain(written), plain(found)) {
		problems = append(problems, fmt.Sprintf("bundle: %s says %s %s, and %s %s", file, d.at,
			d.written, how, d.found))
	}
	return problems
}
