package script

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/scratch"
	"github.com/flowproof/lab/internal/undo"
	"github.com/flowproof/lab/internal/wait"
)

// A Lab is what scenarios run on.
type Lab = run.Lab

// restoreTimeout bounds what is done after a scenario to restore the lab.
const restoreTimeout = 30 * time.Second

// listenersTimeout bounds how long a sidecar may take to hear from istiod.
const listenersTimeout = 10 * time.Second

// A session is one run of a scenario: a run, and what its script needs beside it.
type session struct {
	*run.Session
	ctx       context.Context
	restored  func(what string)
	out       strings.Builder               // of the command that runs
	columns   int                           // of the screen; 0: any
	folded    string                        // out for that screen, where it is another text
	dir       string                        // where the scenario's own files are; "": in archive
	archive   *txtar.Archive                // the scenario, where it is not run
	work      *scratch.Dir                  // the run's own
	changed   map[string]part               // pods whose listeners or routes apply has changed
	applied   []func(context.Context) error // delete the objects that apply has created
	variables map[string]string             // of the script, as commands have set them
	script    [][]string                    // the scenario's lines, each a command and its arguments
	looked    map[string]bool               // words that may name a pod, when its sidecar was taken or passed over
	traceable *error                        // why eBPF cannot watch; nil: it was not asked
	verdict   *flow.RunVerdict
	ask       Ask                          // puts questions to a learner; nil: there is no learner
	answers   []lesson.Answer              // to the script's questions, in their order
	attempt   Attempt                      // lets a learner mend what a task has broken; nil: there is no learner
	missed    *Missed                      // the hop that is not as expect says
	objects   []*unstructured.Unstructured // that apply has created
}

func newSession(ctx context.Context, lab Lab, events Events) *session {
	kinds := maps.Clone(UndoKinds)
	maps.Copy(kinds, lab.Restore)
	list := undo.NewList(kinds, lab.Guard, func(err error) { events.Note("%v", err) })
	s := &session{Session: run.NewSession(lab, list), ctx: ctx, restored: events.Restored, changed: map[string]part{},
		variables: map[string]string{}, looked: map[string]bool{}}
	s.Note = events.Note
	return s
}

// workDir makes the run's own directory, which is removed at the end, also of a killed run: it
// holds config dumps.
func (s *session) workDir() (string, error) {
	dir, err := scratch.Make()
	if err != nil {
		return "", fault.Environmentf("make work directory: %w (is the disk full? TMPDIR names another)", err)
	}
	if _, err := s.Undo.Add(undoRemove, "remove "+dir.Path, dir.Path); err != nil {
		dir.Close()
		_ = removal.All(dir.Path)
		return "", err
	}
	s.work = dir
	return dir.Path, nil
}

// kubeconfig is what programs that a script runs find the lab by, in the form of the variable
// KUBECONFIG. Where the lab is another context than the current one, a file before it in the run's
// own directory says so; it holds nothing else.
func (s *session) kubeconfig(dir string) (string, error) {
	path, name := s.Lab.Mesh.Kubeconfig(), s.Lab.Mesh.Context()
	if name == "" {
		return path, nil
	}
	text, err := json.Marshal(map[string]string{"apiVersion": "v1", "kind": "Config", "current-context": name})
	if err != nil {
		return "", err
	}
	choice := filepath.Join(dir, "context.json")
	return choice + string(filepath.ListSeparator) + path, os.WriteFile(choice, text, 0o600)
}

// call runs one command of the table and returns what it wrote.
func (s *session) call(c Command, args []string) (string, error) {
	s.out.Reset()
	s.folded = ""
	if err := s.ctx.Err(); err != nil {
		return "", context.Cause(s.ctx)
	}
	if c.changes != "" {
		if err := s.May(c.changes, "%s", strings.Join(append([]string{c.Name}, args...), " ")); err != nil {
			return "", err
		}
	}
	unknown, err := s.alone(c, args)
	if err == nil {
		err = cmp.Or(c.run(s, args), unknown)
	}
	if err != nil {
		if usage := (usageError{}); asUsage(err, &usage) {
			return s.out.String(), fault.Usagef("%s: %s (usage: %s)", c.Name, usage.message, c.Usage)
		}
		return s.out.String(), err
	}
	return s.out.String(), nil
}

// print writes one line of a command's result. The first line is its summary.
func (s *session) print(format string, args ...any) {
	fmt.Fprintf(&s.out, format, args...)
	s.out.WriteByte('\n')
}

// close restores what was changed, also after an error and when the run's context has ended.
func (s *session) close() error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(s.ctx), restoreTimeout,
		fault.Environmentf("not done within %s", restoreTimeout))
	defer cancel()
	pending := s.Undo.Pending()
	for _, remove := range slices.Backward(s.applied) {
		_ = remove(ctx) // what fails stays on the list, and is tried and told next
	}
	s.awaitListeners(ctx) // before the sidecars are another run's
	err := s.Undo.Undo(ctx)
	for _, action := range slices.Backward(pending) {
		left := slices.ContainsFunc(s.Undo.Pending(), func(a undo.Action) bool { return a.ID == action.ID })
		if !left && action.Kind != undoRemove { // its own temporary files are of no interest
			s.restored(action.What)
		}
	}
	_ = s.Close()
	if s.work != nil {
		s.work.Close()
	}
	_ = s.Undo.Close() // what the guard could not do either, Undo has reported
	return err
}

// awaitListeners returns when the sidecars whose listeners or routes an applied object had changed
// have heard that it is gone. One that hears nothing costs its patience and is no error: the object
// is gone, and the next dump tells the truth.
func (s *session) awaitListeners(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listenersTimeout)
	defer cancel()
	for pod, part := range s.changed {
		ended := wait.Until(ctx, retryPause, func() (bool, error) {
			dump, err := s.Dump(ctx, pod)
			return err != nil || !slices.Equal(part.versions(dump), part.versions(s.KeptDump(pod))), nil
		})
		if ended != nil {
			return
		}
	}
}

// fill puts what the session found into the result.
func (s *session) fill(r *Result) {
	r.Dumps, r.DumpsAfter, r.Question = s.Dumps(), s.DumpsAfter(), s.Question()
	r.Verdict, r.Recording, r.Answers, r.Missed = s.verdict, s.Recording, s.answers, s.missed
	r.Touched = s.Account()
	if s.Flow.Call.URL != "" {
		r.Run = &s.Flow
	}
}
