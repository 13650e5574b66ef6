package main

import (
	"fmt"
	"regexp"
	"time"
)

// A part is one sort of search for faults that the nightly run gives a share of its time to.
type part struct {
	name   string
	weight int    // of its share
	goal   int    // how much of its unit all runs together have to reach, at least
	unit   string // what is counted
	// command is run for one turn of about a budget; its output is read with count.
	command func(budget time.Duration, turn int) []string
	// count finds numbers in the output: their sum is what a turn has done. With each it counts matches.
	count *regexp.Regexp
	each  bool
	// needs is a directory with a test, or a file, without which the part is not there yet.
	needs string
}

// parts is the table of them: a new one is one row.
var parts = []part{
	{name: "kills", weight: 4, goal: 200, unit: "kills", needs: "hack/kill9",
		command: func(budget time.Duration, _ int) []string {
			return []string{"hack/apart.sh", "bin/kill9", "-rounds", "100000", "-for", budget.String()}
		}, count: regexp.MustCompile(`(?m) round \d+: .*: kill .*\([a-z]`), each: true},
	{name: "load", weight: 2, goal: 200, unit: "runs under load", needs: "hack/load",
		command: func(budget time.Duration, _ int) []string {
			return []string{"go", "run", "./hack/load", "-runs", "5", "-for", budget.String()}
		}, count: regexp.MustCompile(`(?m): (?:verified|incomplete) ?`), each: true},
	{name: "differential", weight: 3, goal: 20000, unit: "requests", needs: "harness/infer/authority",
		command: func(budget time.Duration, turn int) []string {
			requests := max(600, int(budget.Seconds())*requestsPerSecond)
			return []string{"go", "test", "./harness/infer/authority", "-v", "-count=1", "-timeout", "3h", "-run", "Random|Recorded",
				"-args", fmt.Sprintf("-requests=%d", requests), fmt.Sprintf("-seed=%d", turn+1)}
		}, count: regexp.MustCompile(`(\d+) (?:random )?requests`)},
	{name: "mutants", weight: 1, goal: 1000, unit: "mutants", needs: "harness/bundle",
		command: func(time.Duration, int) []string {
			return []string{"go", "test", "./harness/bundle", "-v", "-count=1", "-run", "Mutation"}
		}, count: regexp.MustCompile(`(\d+) mutations`)},
	{name: "secrets", weight: 1, goal: 400, unit: "spellings", needs: "internal/redact",
		command: func(time.Duration, int) []string {
			return []string{"go", "test", "./internal/redact", "-v", "-count=1", "-run", "Secret"}
		}, count: regexp.MustCompile(`(\d+) spellings in text`)},
	{name: "probes-matrix", weight: 2, goal: 3, unit: "builds of Envoy", needs: "internal/envoybinary",
		command: func(time.Duration, int) []string { return []string{"make", "probes-matrix"} },
		count:   regexp.MustCompile(`(?m)^ok `), each: true},
	{name: "bench", weight: 2, goal: 1, unit: "runs", needs: "hack/bench",
		command: func(time.Duration, int) []string { return []string{"make", "bench"} },
		count:   regexp.MustCompile(`(?m)^ok .*harness/cluster/node`), each: true},
}

// requestsPerSecond is what a machine of two cores does in the differential run, at least.
const requestsPerSecond = 20
