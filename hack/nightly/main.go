// Command nightly shares its time over everything that searches for faults, goes on from
// where the last run was, prints one table, writes it into SECURITY.md, and fails with what
// was found or is still short:
//
//	go run ./hack/nightly -minutes 60          or: make nightly MINUTES=60
//
// What it keeps is hack/nightly/kept.json. A log of each turn lies in out/nightly.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	minutes := flag.Int("minutes", 60, "how long the run may take, about")
	only := flag.String("only", "", "parts to run, separated by commas; empty for all")
	logs := flag.String("logs", "out/nightly", "directory of the logs")
	keep := flag.String("keep", "hack/nightly/kept.json", "file of what is kept between runs")
	into := flag.String("into", "SECURITY.md", "file that the table is written into; empty for none")
	flag.Parse()
	if err := run(os.Stdout, *logs, *keep, *into, *only, time.Duration(*minutes)*time.Minute); err != nil {
		fmt.Fprintln(os.Stderr, "nightly:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, logs, keep, into, only string, budget time.Duration) error {
	n, err := open(logs, keep)
	if err != nil {
		return err
	}
	chosen := parts
	if only != "" {
		names := strings.Split(only, ",")
		chosen = slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !slices.Contains(names, p.name) })
		if len(chosen) != len(names) {
			return fmt.Errorf("choose parts: %q has one that there is not", only)
		}
	}
	var failed []error
	if budget > 0 { // in no time only the table is written
		failed = append(n.share(chosen, budget), n.short())
	}
	if into != "" {
		failed = append(failed, n.writeInto(into))
	}
	return errors.Join(append(failed, n.print(out))...)
}

// share gives each part its share of a budget. A part that cannot do anything in so little time
// saves it for a later run.
func (n *night) share(chosen []part, budget time.Duration) (failed []error) {
	weights := 0
	for _, p := range chosen {
		weights += p.weight
	}
	for _, p := range chosen {
		t := n.state.of(p.name)
		t.Owed += int(budget.Seconds()) * p.weight / weights
		owed := time.Duration(t.Owed) * time.Second
		if owed < p.least && len(chosen) > 1 {
			failed = append(failed, n.keep())
			continue
		}
		if err := n.turn(p, max(owed, p.least)); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}
