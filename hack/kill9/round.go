//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
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

// A phase is what the lab is doing when something is killed.
type phase struct {
	name  string
	share int           // of a hundred rounds
	takes time.Duration // about
	words []string      // of the command
	lab   bool          // a lab stands before it
}

func (k *killer) phases() []phase {
	return []phase{
		{name: "up", share: 15, takes: 16 * time.Second, words: []string{"up"}},
		{name: "run", share: 35, takes: 5 * time.Second, words: []string{"run", "inbound"}, lab: true},
		{name: "trace", share: 30, takes: 6 * time.Second, lab: true,
			words: []string{"trace", "--from", "netshoot", "--to", "http://fortio-server:8080/"}},
		{name: "verify", share: 8, takes: 300 * time.Millisecond, words: []string{"verify", k.bundle}},
		{name: "down", share: 12, takes: 400 * time.Millisecond, words: []string{"down"}, lab: true},
	}
}

func (k *killer) phase(name string) phase {
	all := k.phases()
	return all[slices.IndexFunc(all, func(p phase) bool { return p.name == name })]
}

// ofTheRun are the classes whose end does not end the lab: it stands for the next round.
var ofTheRun = []string{"command", "undo guard"}

// pick makes a round. Half of those that send a request kill only what is the request's own, since
// a lab costs more time to start than a request.
func pick(r *rand.Rand) round {
	p := (&killer{}).phases()[0]
	at := r.IntN(100)
	for _, p = range (&killer{}).phases() {
		if at -= p.share; at < 0 {
			break
		}
	}
	n := round{phase: p.name, after: time.Duration(r.Int64N(int64(p.takes))), choice: r.Uint64()}
	var classes []string
	for _, class := range sometimes.Victims[:len(sometimes.Victims)-1] {
		if sometimes.Possible(p.name, class) {
			classes = append(classes, class)
		}
	}
	how := r.IntN(10)
	if sometimes.Possible(p.name, "undo guard") && r.IntN(2) == 0 {
		classes, how = ofTheRun, max(how, 1)
	}
	switch {
	case how == 0 && len(classes) > 1:
		n.victims = []string{"all"}
	case how < 5:
		n.victims = []string{classes[r.IntN(len(classes))]}
	default:
		n.victims = []string{classes[r.IntN(len(classes))], classes[r.IntN(len(classes))]}
	}
	return n
}

func (r round) String() string {
	return fmt.Sprintf("lab %s, after %d ms: kill %s", r.phase, r.after.Milliseconds(),
		strings.Join(r.victims, " and "))
}

// start begins the command of a phase.
func (k *killer) start(name string) (*exec.Cmd, *bytes.Buffer, error) {
	cmd, out := k.command(k.phase(name).words...), &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out, cmd.Start()
}

// stand brings the lab up, unless an earlier round has left it whole.
func (k *killer) stand() error {
	if k.standing != "" {
		return nil
	}
	if out, err := k.command("up").CombinedOutput(); err != nil {
		return fmt.Errorf("lab up: %w\n%s", err, out)
	}
	k.counts.labs++
	if err := k.bind(); err != nil {
		return err
	}
	wait := k.kubectl("wait", "--for=condition=Ready", "pod/guest", "-n", "default", "--timeout=2m")
	if out, err := wait.CombinedOutput(); k.backend == "node" && err != nil {
		return fmt.Errorf("wait for the pod with a person's folder: %w\n%s", err, out)
	}
	for end, last := time.Now().Add(time.Minute), ""; ; time.Sleep(time.Second) {
		now, err := k.print()
		if err != nil || now == last {
			k.standing = now
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("take the fingerprint of a lab that stands: it does not come to rest:\n%s",
				strings.Join(differences(last, now, func(string) bool { return false }), "\n"))
		}
		last = now
	}
}

// fall takes the lab down.
func (k *killer) fall() error {
	k.standing = ""
	if out, err := k.command("down").CombinedOutput(); err != nil {
		return fmt.Errorf("lab down: %w\n%s", err, out)
	}
	return nil
}

// round brings the lab to the phase, kills, and looks at what is left.
func (k *killer) round(r round) (said string, err error) {
	switch {
	case k.phase(r.phase).lab:
		err = k.stand()
	case r.phase == "up" && k.standing != "":
		err = k.fall()
	}
	if err != nil {
		return "", err
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
	said = fmt.Sprintf(" (%d killed: %s)", len(hit), strings.Join(hit, ", "))
	if len(hit) == 0 {
		said = ", but there was none"
	}
	if r.victims[0] == "all" {
		k.counts.all++
		return said, k.nothingButOurOwn()
	}
	return said, k.nothingLeft(r, hit)
}

// nothingLeft looks after one or two kills. A lab may rightly go on when what was killed was not
// its own; then what a request changes has to be back as it was, and the lab stands for the next
// round if nothing of it was hit.
func (k *killer) nothingLeft(r round, hit []string) error {
	whole := k.standing != "" && (r.phase == "run" || r.phase == "trace" || r.phase == "verify") &&
		!slices.ContainsFunc(hit, func(class string) bool { return !slices.Contains(ofTheRun, class) })
	if whole {
		if err := k.levelsRestored(); err != nil {
			return err
		}
		return k.within(settled, k.standing, func(string) bool { return false })
	}
	if k.running() {
		if r.phase == "run" || r.phase == "trace" {
			if err := k.levelsRestored(); err != nil {
				return err
			}
		}
		if err := k.fall(); err != nil {
			return err
		}
	}
	k.standing = ""
	return k.within(settled, k.before, func(string) bool { return false })
}

// nothingButOurOwn looks after all were killed at once: only empty cgroup directories and files of
// our own may wait for the next command, and that takes them.
func (k *killer) nothingButOurOwn() error {
	ours := func(line string) bool {
		excused := strings.HasPrefix(line, "cgroup ") && strings.Contains(line, "/flowproof-"+k.name) ||
			strings.HasPrefix(line, "file /run/flowproof") || strings.HasPrefix(line, "file /tmp/flowproof-run-")
		if excused {
			k.counts.excused++
		}
		return excused
	}
	if err := k.within(settled, k.before, ours); err != nil {
		return err
	}
	if err := k.fall(); err != nil {
		return err
	}
	return k.within(settled, k.before, func(string) bool { return false })
}

// within waits until the machine is as it was, but for lines that are excused. Where there has to
// be no process of the lab it looks for them in a way of its own too: the fingerprint knows
// processes by their command lines alone.
func (k *killer) within(limit time.Duration, was string, excused func(string) bool) error {
	start := time.Now()
	alive := func() map[string][]int {
		if was == k.standing {
			return nil
		}
		return k.processes(0)
	}
	for len(alive()) > 0 && time.Since(start) < limit {
		time.Sleep(50 * time.Millisecond)
	}
	for {
		asked := time.Since(start)
		now, err := k.print()
		if err != nil {
			return err
		}
		left := append(differences(was, now, excused), k.describe(alive())...)
		if len(left) == 0 {
			k.longest = max(k.longest, asked)
			return nil
		}
		if asked > limit {
			return fmt.Errorf("left after %.1f s:\n%s", asked.Seconds(), strings.Join(left, "\n"))
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

// levelsRestored waits until every logger of the workshop's sidecars has its own level again. The
// guards of a killed run have half a minute for it.
func (k *killer) levelsRestored() error {
	for _, pod := range []string{"netshoot", "fortio-server"} {
		deadline := time.Now().Add(30 * time.Second)
		for {
			out, err := k.kubectl("exec", "-n", "mark", pod, "-c", "istio-proxy", "--", "curl", "-s", "-XPOST",
				"localhost:15000/logging").Output()
			levels := string(out)
			if err == nil && strings.Count(levels, ": warning") > 50 && !strings.Contains(levels, ": debug") &&
				!strings.Contains(levels, ": trace") && !strings.Contains(levels, ": info") {
				break
			}
			if !k.running() {
				return nil // its end came a moment after the kill
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("the loggers of %s are not at their own levels: %w\n%s", pod,
					errors.Join(err, errors.New("see below")), levels)
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
