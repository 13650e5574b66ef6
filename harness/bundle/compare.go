package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// compareObservations sets the observations that were written down against those of
// the raw evidence.
func compareObservations(written, seen []flow.Observation) []string {
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
		problems = append(problems,
			fmt.Sprintf("bundle: %s's raw evidence is not what its observations were made of: %d of them are not in "+
				"it, and %d others are",
				instrument, missing[instrument], extra[instrument]))
	}
	return problems
}

// key compares observations as they are written; of the raw line only its beginning is
// kept, so it says enough.
func key(o flow.Observation) string {
	o.Raw = strings.TrimSpace(o.Raw)
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Sprintf("%+v", o)
	}
	return string(text)
}
