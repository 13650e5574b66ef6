package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/flowproof/lab/internal/sometimes"
)

// A result is what one turn of a part has done and found.
type result struct {
	done  int
	found []string // logs of what failed
	err   error    // why there was no turn
}

// failed notes a command that failed. One that was ended at its limit has found nothing, and is
// an error of the turn.
func (r *result) failed(log string, err error) {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		r.err = errors.Join(r.err, fmt.Errorf("%s: %w", log, err))
	case err != nil:
		r.found = append(r.found, log)
	}
}

// turn lets a part take its turn, and keeps what it has done before the next begins.
func (n *night) turn(p part, budget time.Duration) error {
	start := time.Now()
	var r result
	if p.take != nil {
		r = p.take(n, budget)
	} else {
		r = n.take(p, budget)
	}
	t := n.state.of(p.name)
	if p.same {
		t.Done, t.Since = 0, 0
	}
	t.count(r, time.Now())
	t.Owed = max(t.Owed-int(time.Since(start).Seconds()), 0)
	failed := []error{r.err, n.keep()}
	for _, log := range r.found {
		failed = append(failed, fmt.Errorf("%s found: %s", p.name, log))
	}
	return errors.Join(failed...)
}

// count adds what a turn has done.
func (t *tally) count(r result, now time.Time) {
	t.Turns++
	t.Done += r.done
	t.Since += r.done
	t.Last = now.UTC().Truncate(time.Second)
	if len(r.found) > 0 {
		t.Found++
		t.Since = 0
	}
}

// take runs a part's command once.
func (n *night) take(p part, budget time.Duration) result {
	log, err := n.execute(p.name, p.command(budget.Round(time.Second), n.state.of(p.name).Turns),
		2*budget+15*time.Minute)
	data, readErr := os.ReadFile(log)
	r := result{done: counted(p.count, data), err: readErr}
	r.failed(log, err)
	return r
}

// counted is what an output says was done: the sum of the numbers that count finds, or, where it
// finds none in a match, of matches.
func counted(count *regexp.Regexp, output []byte) int {
	sum := 0
	for _, m := range count.FindAllSubmatch(output, -1) {
		if len(m) == 1 {
			sum++
		} else if n, err := strconv.Atoi(string(m[1])); err == nil {
			sum += n
		}
	}
	return sum
}

// execute runs a command with its output in a log, whose path it returns. Words that begin the
// command and have a = are variables for it. At the limit its whole process group is ended.
func (n *night) execute(name string, words []string, limit time.Duration) (log string, err error) {
	log = n.path(fmt.Sprintf("%s-%s.log", name, time.Now().UTC().Format("20060102-150405")))
	f, err := os.Create(log)
	if err != nil {
		return log, err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	env := append(os.Environ(), "CGO_ENABLED=0", sometimes.Variable+"="+n.path("sometimes"))
	for strings.Contains(words[0], "=") {
		env, words = append(env, words[0]), words[1:]
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = f, f, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), strings.Join(words, " "))
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil { // it found nothing: it did not come to its end
			err = fmt.Errorf("not done within %s: %w", limit, ctx.Err())
		}
		fmt.Fprintf(f, "\n%s: %v\n", strings.Join(words, " "), err)
		return log, err
	}
	return log, nil
}
