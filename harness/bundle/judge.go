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
func Judge(c Contents) (flow.Run, flow.RunVerdict) {
	run := c.Run
	problems := slices.Clone(c.Changed)
	for i, p := range problems {
		problems[i] = "bundle: " + p
	}
	if c.Recording == nil {
		if len(run.Observations) > 0 {
			problems = append(problems, "bundle: no raw evidence is kept, so what was observed cannot be checked")
		}
	} else {
		seen, watches, err := c.Recording.Observe()
		if err != nil {
			problems = append(problems, fmt.Sprintf("bundle: %v", err))
		}
		problems = append(problems, compare(run.Observations, seen)...)
		run.Observations, run.Watches = seen, watches
	}
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
