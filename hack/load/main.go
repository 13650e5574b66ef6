// Command load runs requests through a lab while others send requests on the same way, and counts
// the verdicts: under any load a run ends verified or incomplete, never as a mismatch, and at 50
// requests a second in at least 95 % of all runs verified.
//
//	go build -o bin/lab ./cmd/lab && go run ./hack/load -runs 20
//
// It brings a lab up, or joins the one of its name. Its table has one row for each load and
// each kind of run. What a run said that was not verified stands below it. It fails where a row
// breaks its promise.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// A run is one kind of run: arguments of lab.
type run struct {
	name string
	args []string
}

// The target is what the load and the runs ask.
const target = "http://fortio-server:8080/"

// runs are the kinds of runs: over a connection that is made for the request, and
// over one that is there.
var runs = []run{
	{"cold", []string{"trace", "--from", "netshoot", "--to", target, "-o", "json"}},
	{"warm", []string{"trace", "--from", "netshoot", "--to", target, "--warm", "-o", "json"}},
	{"inbound", []string{"run", "inbound", "-o", "json"}},
	{"inbound_warm", []string{"run", "inbound_warm", "-o", "json"}},
}

// A row is what became of the runs of one kind under one load.
type row struct {
	load, run string
	promised  float64 // least share of verified runs
	count     map[flow.Result]int
	said      []string // of the runs that were not verified
}

// longest bounds one run: a machine that is saturated answers late.
const longest = 3 * time.Minute

// failed is what the table says of a run that ended without a verdict.
const failed flow.Result = "no verdict"

func main() {
	if err := measure(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func measure(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	lab := flags.String("lab", "bin/lab", "the command")
	name := flags.String("name", "load", "the lab's name")
	keep := flags.Bool("keep", false, "leave the lab up")
	times := flags.Int("runs", 20, "how many runs of each kind under each load")
	onlyLoads := flags.String("loads", "", "loads, separated by commas; empty for all")
	onlyRuns := flags.String("kinds", "cold,warm", "kinds of runs, separated by commas; empty for all")
	most := flags.Duration("for", 0, "begin no run after this time, and until then begin again; 0: take all once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *times < 1 {
		return fmt.Errorf("take %d runs of each kind: it has to be one at least", *times)
	}
	if err := errors.Join(known(*onlyLoads, loadNames()...), known(*onlyRuns, runNames()...)); err != nil {
		return err
	}
	l := &laboratory{program: *lab, name: *name}
	if out, err := l.command(context.Background(), "up").CombinedOutput(); err != nil {
		return fmt.Errorf("bring lab %s up: %w: %s", *name, err, out)
	}
	if !*keep {
		defer func() { _ = l.command(context.Background(), "down").Run() }() // what was measured has been said
	}
	start := time.Now()
	goesOn := func() bool { return *most == 0 || time.Since(start) < *most }
	var rows []*row
	for again := true; again; again = *most > 0 && goesOn() {
		for _, load := range loads {
			if !chosen(*onlyLoads, load.name) || !goesOn() {
				continue
			}
			rows = added(rows, l.under(load, *times, func(r run) bool {
				return chosen(*onlyRuns, r.name) && goesOn()
			}))
		}
	}
	return table(out, rows)
}

// added are rows with the counts of more, of which those of one kind under one load are one row.
func added(rows, more []*row) []*row {
	for _, m := range more {
		i := slices.IndexFunc(rows, func(r *row) bool { return r.load == m.load && r.run == m.run })
		if i < 0 {
			rows = append(rows, m)
			continue
		}
		for result, n := range m.count {
			rows[i].count[result] += n
		}
		for _, said := range m.said {
			if !slices.Contains(rows[i].said, said) {
				rows[i].said = append(rows[i].said, said)
			}
		}
	}
	return rows
}

// loadNames and runNames are what a person can choose.
func loadNames() (names []string) {
	for _, l := range loads {
		names = append(names, l.name)
	}
	return names
}

func runNames() (names []string) {
	for _, r := range runs {
		names = append(names, r.name)
	}
	return names
}

// known says what of a list that a person gave is none of the names: with nothing to take, every
// promise would be kept.
func known(list string, names ...string) error {
	for name := range strings.SplitSeq(list, ",") {
		if list != "" && !slices.Contains(names, name) {
			return fmt.Errorf("choose %q: it is none of %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// under takes all kinds of runs under one load.
func (l *laboratory) under(load load, times int, wanted func(run) bool) []*row {
	stop := l.start(load)
	defer stop()
	if err := l.settle(load); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	var rows []*row
	for _, r := range runs {
		row := &row{load: load.name, run: r.name, promised: load.promised, count: map[flow.Result]int{}}
		for range times {
			if !wanted(r) {
				break
			}
			result, said := l.run(r)
			row.count[result]++
			fmt.Fprintf(os.Stderr, "%s %s %s: %s %s\n", time.Now().Format(time.TimeOnly), load.name,
				r.name, result, said)
			if result != flow.Verified && !slices.Contains(row.said, said) {
				row.said = append(row.said, said)
			}
		}
		if len(row.count) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// run takes one run, and says what became of it and, where it was not verified, why.
func (l *laboratory) run(r run) (flow.Result, string) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := l.command(ctx, append([]string{"--quiet"}, r.args...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	text, err := cmd.Output()
	var told struct {
		Verdict *flow.RunVerdict `json:"verdict"`
	}
	if jsonErr := json.Unmarshal(text, &told); jsonErr != nil || told.Verdict == nil {
		return failed, strings.Join(strings.Fields(fmt.Sprint(err, " ", errs.String())), " ")
	}
	v := told.Verdict
	if v.Result == flow.Verified {
		return v.Result, ""
	}
	said := slices.Clone(v.Problems)
	for _, hop := range v.Hops {
		if hop.State == flow.Refuted || hop.State == flow.NotObserved {
			said = append(said, fmt.Sprintf("%s %s %s: %s", hop.Side, hop.Kind, hop.State, hop.Reason))
		}
	}
	return v.Result, strings.Join(said, " | ")
}

// chosen reports whether a list that a person gave has a name.
func chosen(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}

// table prints what was counted, and returns which promises were not kept.
func table(out io.Writer, rows []*row) error {
	results := []flow.Result{flow.Verified, flow.Incomplete, flow.Mismatch, failed}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "load\trun\truns\tverified\tincomplete\tmismatch\tno verdict\tpromise")
	var broken []string
	for _, r := range rows {
		sum := 0
		fmt.Fprintf(w, "%s\t%s\t", r.load, r.run)
		for _, n := range r.count {
			sum += n
		}
		fmt.Fprintf(w, "%d", sum)
		for _, result := range results {
			fmt.Fprintf(w, "\t%d", r.count[result])
		}
		kept := "kept"
		if r.count[flow.Mismatch] > 0 || float64(r.count[flow.Verified]) < r.promised*float64(sum) {
			kept = "broken"
			broken = append(broken, r.load+" "+r.run)
		}
		fmt.Fprintf(w, "\t%s\n", kept)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		for _, said := range r.said {
			fmt.Fprintf(out, "%s %s: %s\n", r.load, r.run, said)
		}
	}
	if len(broken) > 0 {
		return errors.New("not as promised: " + strings.Join(broken, ", "))
	}
	return nil
}
