package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
)

// Judge judges a bundle's run again: from the path, and from observations that are made anew of the raw evidence. It
// returns the run that was judged. Evidence that was changed or taken away changes what is observed, and with it the
// verdict; besides, a run whose files are not as they were written is never verified.
func Judge(c Contents) (flow.Run, flow.RunVerdict) { return c.judge(c.evidence()) }

// evidence is what the raw evidence of a run shows.
type evidence struct {
	seen     []flow.Observation
	watches  []flow.Watch
	problems []string
}

// evidence reads the raw evidence. Where none is kept, what was written down stands, and cannot be checked.
func (c Contents) evidence() evidence {
	if c.Recording == nil {
		e := evidence{seen: c.Run.Observations, watches: c.Run.Watches}
		if len(e.seen) > 0 {
			e.problems = []string{"bundle: no raw evidence is kept, so what was observed cannot be checked"}
		}
		return e
	}
	var e evidence
	var err error
	if e.seen, e.watches, err = c.Recording.Observe(); err != nil {
		e.problems = []string{fmt.Sprintf("bundle: %v", err)}
	}
	return e
}

// judge judges the run by evidence.
func (c Contents) judge(e evidence) (flow.Run, flow.RunVerdict) {
	run := c.Run
	var problems []string
	for _, p := range c.Changed {
		problems = append(problems, "bundle: "+p)
	}
	problems = append(append(problems, e.problems...), compare(run.Observations, e.seen)...)
	run.Observations, run.Watches = e.seen, e.watches
	verdict := verify.Judge(run)
	verdict.Problems = append(verdict.Problems, problems...)
	if verdict.Result == flow.Verified && len(problems) > 0 {
		verdict.Result = flow.Incomplete
	}
	return run, verdict
}

// compare sets the observations that were written down against those of the raw evidence.
func compare(written, seen []flow.Observation) []string {
	missing, extra := map[flow.Instrument]int{}, map[flow.Instrument]int{}
	count := map[string]int{}
	for _, o := range seen {
		count[key(o)]++
	}
	for _, o := range written {
		if count[key(o)]--; count[key(o)] < 0 {
			missing[o.Instrument]++
		}
	}
	for _, o := range seen {
		if k := key(o); count[k] > 0 {
			count[k]--
			extra[o.Instrument]++
		}
	}
	differ := maps.Clone(missing)
	maps.Copy(differ, extra)
	var problems []string
	for _, instrument := range slices.Sorted(maps.Keys(differ)) {
		problems = append(problems, fmt.Sprintf("bundle: %s's raw evidence is not what its observations were made of: %d of them are not in it, and %d others are",
			instrument, missing[instrument], extra[instrument]))
	}
	return problems
}

// key compares observations as they are written; of the raw line only its beginning is kept, so it says enough.
func key(o flow.Observation) string {
	o.Raw = strings.TrimSpace(o.Raw)
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Sprintf("%+v", o)
	}
	return string(text)
}
