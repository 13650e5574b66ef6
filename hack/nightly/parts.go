package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A part is one sort of search for faults that the nightly run gives a share of its time to.
type part struct {
	name   string
	weight int           // of its share
	least  time.Duration // that a turn takes: in less nothing is done
	goal   int           // how much of its unit all runs together have to reach, at least
	unit   string        // what is counted
	// command is run for one turn of about a budget; its output is read with count.
	// Variables for it come first.
	command func(budget time.Duration, turn int) []string
	// count finds a number in the output: their sum is what a turn has done. Without a
	// group it counts matches.
	count *regexp.Regexp
	// same says that each turn does the same: what counts is then the last one.
	same bool
	// take takes a turn where that is more than one command.
	take func(n *night, budget time.Duration) result
}

// parts is the table of them: a new one is one row. Those that need least time come first, so that
// a short run has done most of them.
var parts = []part{
	{name: "secrets", same: true, weight: 1, goal: 400, unit: "spellings",
		command: tests("./internal/redact", "Secret"), count: regexp.MustCompile(`(\d+) spellings in text`)},
	{name: "rare", same: true, weight: 1, least: 30 * time.Second, goal: 80, unit: "tests that bring a rare case about",
		command: tests("./internal/enclosure ./internal/undo ./internal/removal ./harness/verify", "."),
		count:   regexp.MustCompile(`(?m)^ *--- PASS`)},
	{name: "coverage", same: true, weight: 1, least: 4 * time.Minute, goal: 4,
		unit:    "packages whose tests run enough of them",
		command: func(time.Duration, int) []string { return []string{"hack/cover.sh"} },
		count:   regexp.MustCompile(`(?m)^held: `)},
	{name: "mutants", weight: 2, least: time.Minute, goal: 1000, unit: "mutants of bundles",
		command: func(budget time.Duration, turn int) []string {
			words := tests("./harness/bundle", "Mutation|Forgeries|Added")(budget, turn)
			return append([]string{
				fmt.Sprintf("FLOWPROOF_MUTANTS=%d", max(150, int(budget.Seconds())*mutantsPerSecond)),
			}, words...)
		}, count: regexp.MustCompile(`(\d+) (?:mutations|forgeries)`)},
	{name: "kills", weight: 4, least: 90 * time.Second, goal: 200, unit: "processes killed in a lab",
		command: func(budget time.Duration, _ int) []string {
			return []string{"hack/apart.sh", "bin/kill9", "-rounds", "100000", "-for", budget.String(), "-reached",
				"hack/nightly/kept.json"}
		}, count: regexp.MustCompile(`(?m) round \d+: .* \((\d+) killed: `)},
	{name: "fuzz", weight: 3, least: 10 * time.Second, goal: 3600, unit: "s of search", take: (*night).fuzz},
	{name: "requests", weight: 2, least: 6 * time.Minute, goal: kindsOfRequests * roundsOfKind,
		unit: "rounds of kinds of requests", take: (*night).requests},
	{name: "load", weight: 2, least: 2 * time.Minute, goal: 200, unit: "runs under load",
		command: func(budget time.Duration, _ int) []string {
			return []string{"go", "run", "./hack/load", "-runs", "1", "-for", budget.String()}
		}, count: regexp.MustCompile(`(?m): (?:verified|incomplete) ?`)},
	{name: "callers", same: true, weight: 1, least: 4 * time.Minute, goal: 200,
		unit: "callers that traces beside them harmed no request of",
		command: func(time.Duration, int) []string {
			return []string{"go", "test", "./scenarios", "-v", "-count=1", "-timeout", "20m", "-run",
				"TestTracesHarmNoCaller", "-args", "-callers", "200"}
		}, count: regexp.MustCompile(`(\d+) callers not harmed`)},
	{name: "differential", weight: 3, least: time.Minute, goal: 20000, unit: "requests that a real Envoy answered too",
		command: func(budget time.Duration, turn int) []string {
			words := tests("./harness/infer/authority", "Random|Recorded")(budget, turn)
			requests := max(600, int(budget.Seconds())*requestsPerSecond)
			return append(words, "-args", fmt.Sprintf("-requests=%d", requests), fmt.Sprintf("-seed=%d", turn+1))
		}, count: regexp.MustCompile(`(\d+) (?:random )?requests`)},
	{name: "probes-matrix", same: true, weight: 1, least: 5 * time.Minute, goal: 2,
		unit:    "packages' tests with three builds of Envoy",
		command: func(time.Duration, int) []string { return []string{"make", "probes-matrix"} },
		count:   regexp.MustCompile(`(?m)^ok `)},
	{name: "registry", same: true, weight: 1, least: 12 * time.Minute, goal: 2, unit: "labs of images from a registry",
		command: func(time.Duration, int) []string { return []string{"make", "registry"} },
		count:   regexp.MustCompile(`(?m)^ *verified: `)},
	{name: "bench", same: true, weight: 1, least: 10 * time.Minute, goal: 1, unit: "runs of the benchmarks",
		command: func(time.Duration, int) []string { return []string{"make", "bench"} },
		count:   regexp.MustCompile(`(?m)^ok .*harness/cluster/node`)},
}

// What a machine of two cores does at least.
const (
	requestsPerSecond = 20
	mutantsPerSecond  = 8
)

// tests runs those of packages whose names match.
func tests(packages, pattern string) func(time.Duration, int) []string {
	return func(time.Duration, int) []string {
		return append([]string{"go", "test", "-v", "-count=1", "-timeout", "3h", "-p", "1", "-run", pattern},
			strings.Fields(packages)...)
	}
}
