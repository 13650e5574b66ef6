package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/sometimes"
)

// A round is what one round does: everything in it comes from the seed.
type round struct {
	phase   string
	after   time.Duration // from the command's start to the kill
	victims []string      // classes; one or two, or all
	choice  uint64        // which of several processes of a class
}

// longest is how long the command of a phase takes, about.
var longest = map[string]time.Duration{"up": 16 * time.Second, "run": 5 * time.Second, "trace": 6 * time.Second, "down": 400 * time.Millisecond}

func pick(r *rand.Rand) round {
	phase := sometimes.Phases[r.IntN(len(sometimes.Phases))]
	n := round{phase: phase, after: time.Duration(r.Int64N(int64(longest[phase]))), choice: r.Uint64()}
	classes := sometimes.Victims[:len(sometimes.Victims)-1]
	switch how := r.IntN(10); {
	case how == 0:
		n.victims = []string{"all"}
	case how < 5:
		n.victims = []string{classes[r.IntN(len(classes))]}
	default:
		n.victims = []string{classes[r.IntN(len(classes))], classes[r.IntN(len(classes))]}
	}
	return n
}

func (r round) String() string {
	return fmt.Sprintf("lab %s, after %d ms: kill %s", r.phase, r.after.Milliseconds(), strings.Join(r.victims, " and "))
}

// start begins the command of a phase.
func (k *killer) start(phase string) (*exec.Cmd, *bytes.Buffer, error) {
	words := map[string][]string{"up": {"up"}, "down": {"down"}, "run": {"run", "inbound"},
		"trace": {"trace", "--from", "netshoot", "--to", "http://fortio-server:8080/"}}[phase]
	cmd, out := k.command(words...), &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out, cmd.Start()
}

// round brings the lab to the phase, kills, and looks at what is left.
func (k *killer) round(r round) (said string, err error) {
	if r.phase != "up" {
		if out, err := k.command("up").CombinedOutput(); err != nil {
			return "", fmt.Errorf("lab up: %w\n%s", err, out)
		}
		if err := k.bind(); err != nil {
			return "", err
		}
	}
	cmd, _, err := k.start(r.phase)
	if err != nil {
		return "", err
	}
	time.Sleep(r.after)
	if r.phase == "up" {
		_ = k.bind() // if there is a node yet
	}
	hit := k.kill(r, cmd.Process.Pid)
	_ = cmd.Wait()
	k.counts.rounds++
	k.counts.kills += len(hit)
	k.reached(r, hit)
	said = " (" + strings.Join(hit, ", ") + ")"
	if len(hit) == 0 {
		said = " (there was none)"
	}
	if r.victims[0] == "all" {
		k.counts.all++
		return said, k.nothingButOurOwn()
	}
	return said, k.nothingLeft(r)
}

// nothingLeft looks after one or two kills. A lab may rightly go on when what was killed was not its own; then what a
// request changes has to be back as it was, and it is taken down.
func (k *killer) nothingLeft(r round) error {
	if k.running() {
		if r.phase == "run" || r.phase == "trace" {
			if err := k.levelsRestored(); err != nil {
				return err
			}
		}
		if out, err := k.command("down").CombinedOutput(); err != nil {
			return fmt.Errorf("lab down: %w\n%s", err, out)
		}
	}
	return k.within(settled, func(string) bool { return false })
}

// nothingButOurOwn looks after all were killed at once: only empty cgroup directories and files of our own may wait for the
// next command, and that takes them.
func (k *killer) nothingButOurOwn() error {
	ours := func(line string) bool {
		excused := strings.HasPrefix(line, "cgroup ") && strings.Contains(line, "/flowproof-"+k.name) ||
			strings.HasPrefix(line, "file /run/flowproof") || strings.HasPrefix(line, "file /tmp/flowproof-run-")
		if excused {
			k.counts.excused++
		}
		return excused
	}
	if err := k.within(settled, ours); err != nil {
		return err
	}
	if out, err := k.command("down").CombinedOutput(); err != nil {
		return fmt.Errorf("lab down: %w\n%s", err, out)
	}
	return k.within(settled, func(string) bool { return false })
}

// within waits until there is no process of the lab, and then compares the fingerprint, but for lines that are excused.
func (k *killer) within(limit time.Duration, excused func(string) bool) error {
	deadline := time.Now().Add(limit)
	for len(k.processes(0)) > 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	for {
		now, err := k.print()
		if err != nil {
			return err
		}
		left := append(differences(k.before, now, excused), k.describe(k.processes(0))...)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("left:\n%s", strings.Join(left, "\n"))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// differences are the lines that only one of two sorted prints has.
func differences(before, after string, excused func(string) bool) []string {
	count := map[string]int{}
	for line := range strings.Lines(after) {
		count[line]++
	}
	for line := range strings.Lines(before) {
		count[line]--
	}
	var out []string
	for line, n := range count {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case n > 0 && !excused(line):
			out = append(out, "+ "+line)
		case n < 0:
			out = append(out, "- "+line)
		}
	}
	return out
}

func (k *killer) running() bool {
	out, err := k.command("status", "-o", "json").Output()
	var status struct {
		State string `json:"state"`
	}
	return err == nil && json.Unmarshal(out, &status) == nil && status.State == "running"
}

// levelsRestored waits until every logger of the workshop's sidecars has its own level again. The guards of a killed run have
// half a minute for it.
func (k *killer) levelsRestored() error {
	for _, pod := range []string{"netshoot", "fortio-server"} {
		deadline := time.Now().Add(30 * time.Second)
		for {
			out, err := exec.Command(k.lab, "--backend", k.backend, "--name", k.name, "kubectl", "exec", "-n", "mark", pod,
				"-c", "istio-proxy", "--", "curl", "-s", "-XPOST", "localhost:15000/logging").Output()
			levels := string(out)
			if err == nil && strings.Count(levels, ": warning") > 50 && !strings.Contains(levels, ": debug") &&
				!strings.Contains(levels, ": trace") && !strings.Contains(levels, ": info") {
				break
			}
			if !k.running() {
				return nil // its end came a moment after the kill
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("the loggers of %s are not at their own levels: %w\n%s", pod, errors.Join(err, errors.New("see below")), levels)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	return nil
}

// kill ends the victims of a round, all at once, and returns the classes of those that there were.
func (k *killer) kill(r round, command int) (hit []string) {
	all := k.processes(command)
	var pids []int
	for i, class := range r.victims {
		of := all[class]
		if class == "all" {
			of = nil
			for _, some := range all {
				pids = append(pids, some...)
			}
			if len(pids) > 0 {
				hit = append(hit, class)
			}
			continue
		}
		if len(of) == 0 {
			continue
		}
		pids, hit = append(pids, of[(r.choice>>(8*i))%uint64(len(of))]), append(hit, class)
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	return hit
}
