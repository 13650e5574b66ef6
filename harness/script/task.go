package script

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/wait"
)

// A Task is something in the lab that a lesson has broken on purpose, and that a
// learner is to mend.
type Task struct {
	Failure  *Result // of the check that has failed last
	Solution string  // the manifest that solves it
	// Check runs the check, and again while it fails, since a sidecar hears of a
	// change a moment later.
	Check func(ctx context.Context) *Result
}

// An Attempt lets a learner mend what a task has broken. It returns with solved when the check has
// passed, and without when the learner wants the solution. An error ends the scenario.
type Attempt func(ctx context.Context, t *Task) (solved bool, err error)

// taskPatience bounds how long a check is repeated until a change has come to the sidecars.
const taskPatience = 30 * time.Second

// attemptPatience is the same for a learner who waits.
const attemptPatience = 10 * time.Second

var taskCommand = Command{
	Name:    "task",
	touches: changes,
	Usage:   "task CHECK SOLUTION",
	Summary: "Let the learner mend what the scenario has broken",
	Detail: "CHECK is one of the scenario's own files: a scenario that fails while the thing is broken, and passes " +
		"when it works. SOLUTION is\n" +
		"a manifest of the objects as they should be: those that are there are replaced, and what apply has created " +
		"and it does not name\n" +
		"is deleted. `lab walk` shows the learner the symptom and waits. `lab run` and `go test` hold that the check " +
		"fails, solve it, and\n" +
		"hold that it passes. What apply has created is deleted at the end, also when the learner has changed it.",
	hand:   nothingTyped,
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) != 2 {
			return badUsage("it needs a check and a solution")
		}
		solution, err := s.readFile(args[1])
		if err != nil {
			return fault.Usagef("task: %w", err)
		}
		objects, err := kube.Decode(solution)
		if err != nil {
			return fault.Usagef("task %s: no object can be read from it: %w", args[1], err)
		}
		check, err := s.checkOf(args[0])
		if err != nil {
			return err
		}
		broken := repeated(s.ctx, taskPatience, check, func(r *Result) bool { return r.Err != nil })
		if broken.Err == nil {
			return fault.Mismatchf("task: the check %s passes, so nothing is broken", args[0])
		}
		if fault.Of(broken.Err) == fault.Environment {
			return broken.Err
		}
		s.print("broken: %s", firstLine(broken.Reason))
		if err := s.mend(broken, check, string(solution), objects); err != nil {
			return err
		}
		fixed := repeated(s.ctx, taskPatience, check, passes)
		if fixed.Err != nil {
			return fault.Mismatchf("task: the check %s fails with its solution too: %w", args[0], fixed.Err)
		}
		s.print("mended: the check passes")
		return nil
	},
}

// mend lets the learner try, and applies the solution where there is none, or the learner wants it.
func (s *session) mend(broken *Result, check func(context.Context) *Result, solution string,
	objects []*unstructured.Unstructured) error {
	if s.attempt != nil {
		task := &Task{Failure: broken, Solution: solution,
			Check: func(ctx context.Context) *Result { return repeated(ctx, attemptPatience, check, passes) }}
		if solved, err := s.attempt(s.ctx, task); err != nil || solved {
			return err
		}
	}
	return s.solve(objects)
}

func passes(r *Result) bool { return r.Err == nil }

// checkOf reads a check. Each time that it runs it is a run of its own, from dump to verdict, which
// has alone what this one has.
func (s *session) checkOf(name string) (func(context.Context) *Result, error) {
	text, err := s.readFile(name)
	if err != nil {
		return nil, fault.Usagef("task: %w", err)
	}
	return func(ctx context.Context) *Result {
		check := Parse(strings.TrimSuffix(name, ".txtar"), text)
		check.Files = os.DirFS(s.dir)
		return Run(ctx, s.Lab, check, Options{within: s})
	}, nil
}

// repeated runs a check until it is as wanted, for at most patience, and returns the last result.
func repeated(ctx context.Context, patience time.Duration, check func(context.Context) *Result,
	wanted func(*Result) bool) (last *Result) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = wait.Until(waiting, retryPause, func() (bool, error) {
		last = check(ctx)
		return wanted(last), nil
	})
	return last
}

// solve brings the objects of a solution into the cluster, and deletes what apply has created and
// the solution does not name.
func (s *session) solve(objects []*unstructured.Unstructured) error {
	config, err := kube.ContextConfig(s.Lab.Mesh.Kubeconfig(), s.Lab.Mesh.Context())
	if err != nil {
		return err
	}
	same := func(a, b *unstructured.Unstructured) bool {
		return a.GroupVersionKind().GroupKind() == b.GroupVersionKind().GroupKind() && a.GetName() == b.GetName() &&
			a.GetNamespace() == b.GetNamespace()
	}
	for _, o := range s.objects {
		if !slices.ContainsFunc(objects, func(other *unstructured.Unstructured) bool { return same(o, other) }) {
			if err := kube.Delete(s.ctx, config, o); err != nil {
				return fault.Environmentf("solve task: %w", err)
			}
		}
	}
	for _, o := range objects {
		if !slices.ContainsFunc(s.objects, func(other *unstructured.Unstructured) bool { return same(o, other) }) {
			if err := s.create(o); err != nil {
				return fault.Environmentf("solve task: %w", err)
			}
			continue
		}
		if err := kube.Replace(s.ctx, config, o); err != nil {
			return fault.Environmentf("solve task: %w", err)
		}
	}
	return nil
}

// firstLine is the first line of a text.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
