// Command nightly shares its time over everything that searches for faults, goes on from where the last run was, prints one
// table and fails with what was found or is still short:
//
//	go run ./hack/nightly -minutes 60          or: make nightly MINUTES=60
//
// What it keeps lies in out/nightly: state.json with the sums, sometimes with the rare cases that were reached, and a log for
// each turn.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/flowproof/lab/internal/sometimes"
)

// kept is what one run leaves to the next.
type kept struct {
	Turns  map[string]int `json:"turns"`  // of each part
	Sums   map[string]int `json:"sums"`   // what each part has done, in its unit
	Found  map[string]int `json:"found"`  // turns of each part that failed
	Fuzzed map[string]int `json:"fuzzed"` // seconds of each fuzz target
}

// A night is one run.
type night struct {
	dir   string
	state kept
}

// A result is what one turn of a part has done and found.
type result struct {
	done  int
	found []string // logs of what failed
	err   error    // why there was no turn
}

func main() {
	minutes := flag.Int("minutes", 60, "how long the run may take, about")
	only := flag.String("only", "", "parts to run, separated by commas; empty for all")
	dir := flag.String("state", "out/nightly", "directory of what is kept between runs")
	flag.Parse()
	if err := run(os.Stdout, *dir, *only, time.Duration(*minutes)*time.Minute); err != nil {
		fmt.Fprintln(os.Stderr, "nightly:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, dir, only string, budget time.Duration) error {
	n, err := open(dir)
	if err != nil {
		return err
	}
	wanted := func(name string) bool { return only == "" || slices.Contains(strings.Split(only, ","), name) }
	const fuzzWeight = 3
	weights := 0
	for _, p := range parts {
		if wanted(p.name) && p.there() {
			weights += p.weight
		}
	}
	if wanted("fuzz") {
		weights += fuzzWeight
	}
	results := map[string]result{}
	if wanted("fuzz") {
		results["fuzz"] = n.turn("fuzz", func() result { return n.fuzz(budget * fuzzWeight / time.Duration(weights)) })
	}
	for _, p := range parts {
		if wanted(p.name) && p.there() {
			results[p.name] = n.turn(p.name, func() result { return n.take(p, budget*time.Duration(p.weight)/time.Duration(weights)) })
		}
	}
	return n.table(out, results)
}

// open reads what earlier runs kept.
func open(dir string) (*night, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	n := &night{dir: dir, state: kept{Turns: map[string]int{}, Sums: map[string]int{}, Found: map[string]int{}, Fuzzed: map[string]int{}}}
	data, err := os.ReadFile(n.path("state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &n.state)
	}
	if err != nil {
		return nil, fmt.Errorf("read what earlier runs kept: %w (remove %s to begin anew)", err, n.path("state.json"))
	}
	return n, nil
}

func (n *night) path(name string) string { return filepath.Join(n.dir, name) }

// turn lets a part take its turn, and keeps what it has done before the next begins: a run that is ended loses nothing.
func (n *night) turn(name string, take func() result) result {
	r := take()
	n.state.Turns[name]++
	n.state.Sums[name] += r.done
	n.state.Found[name] += len(r.found)
	data, err := json.MarshalIndent(n.state, "", "  ")
	if err == nil {
		err = os.WriteFile(n.path("state.json.new"), data, 0o644)
	}
	if err == nil {
		err = os.Rename(n.path("state.json.new"), n.path("state.json"))
	}
	r.err = errors.Join(r.err, err)
	return r
}

func (p part) there() bool {
	_, err := os.Stat(p.needs)
	return err == nil
}

// take runs a part's command once.
func (n *night) take(p part, budget time.Duration) result {
	log, err := n.execute(p.name, p.command(budget.Round(time.Second), n.state.Turns[p.name]), 2*budget+15*time.Minute)
	data, readErr := os.ReadFile(log)
	r := result{done: p.counted(data), err: readErr}
	if err != nil {
		r.found = append(r.found, log)
	}
	return r
}

// counted is what a turn's output says that it has done.
func (p part) counted(output []byte) int {
	sum := 0
	for _, m := range p.count.FindAllSubmatch(output, -1) {
		if p.each {
			sum++
		} else if n, err := strconv.Atoi(string(m[1])); err == nil {
			sum += n
		}
	}
	return sum
}

// execute runs a command with its output in a log, whose path it returns. At the limit its whole process group is ended.
func (n *night) execute(name string, words []string, limit time.Duration) (log string, err error) {
	log = n.path(fmt.Sprintf("%s-%s.log", name, time.Now().UTC().Format("20060102-150405")))
	f, err := os.Create(log)
	if err != nil {
		return log, err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", sometimes.Variable+"="+n.path("sometimes"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), strings.Join(words, " "))
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(f, "\n%s: %v\n", strings.Join(words, " "), err)
		return log, err
	}
	return log, nil
}

// table prints what was done, and returns what was found or is short as an error.
func (n *night) table(out io.Writer, results map[string]result) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "part\tdone\tsum over runs\tfound\tstill short")
	var wrong []string
	row := func(name, unit, short string) {
		r, ran := results[name]
		done := "not in this run"
		if ran {
			done = fmt.Sprintf("%d %s", r.done, unit)
		}
		if r.err != nil {
			short = strings.Trim(short+"; "+r.err.Error(), "; ")
		}
		fmt.Fprintf(w, "%s\t%s\t%d %s\t%d\t%s\n", name, done, n.state.Sums[name], unit, n.state.Found[name], short)
		for _, log := range r.found {
			wrong = append(wrong, "found: "+log)
		}
		if short != "" {
			wrong = append(wrong, name+": "+short)
		}
	}
	row("fuzz", "s", n.fuzzShort())
	for _, p := range parts {
		short := ""
		if sum := n.state.Sums[p.name]; sum < p.goal {
			short = fmt.Sprintf("%d of %d %s", p.goal-sum, p.goal, p.unit)
		}
		if !p.there() {
			short = "not there yet: " + p.needs
		}
		row(p.name, p.unit, short)
	}
	missing, reached := n.missing()
	short := ""
	if len(missing) > 0 {
		short = fmt.Sprintf("%d never reached", len(missing))
		wrong = append(wrong, "never reached: "+strings.Join(missing, "; "))
	}
	fmt.Fprintf(w, "sometimes\t\t%d of %d cases\t\t%s\n", reached, len(sometimes.Catalogue), short)
	if err := w.Flush(); err != nil || len(wrong) == 0 {
		return err
	}
	return fmt.Errorf("not there yet\n  %s", strings.Join(wrong, "\n  "))
}

// missing are the rare cases that no run has come to.
func (n *night) missing() (missing []string, reached int) {
	data, _ := os.ReadFile(n.path("sometimes")) // none yet: all are missing
	counts, _, _ := sometimes.Read(bytes.NewReader(data))
	return sometimes.Missing(counts), len(counts)
}
