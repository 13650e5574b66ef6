package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/run/runtest"
	"github.com/flowproof/lab/internal/undo"
)

// TestAlone takes the sidecars in the order of their names before anything is read or changed. A
// run that changes nothing only waits.
func TestAlone(t *testing.T) {
	both := []string{"fortio-server.mark", "netshoot.mark"}
	for _, tc := range []struct {
		name    string
		change  func(*run.Plan)
		holds   []string
		awaited []string
	}{
		{"cold", func(*run.Plan) {}, both, nil},
		{"warm, with log levels", func(p *run.Plan) { p.Keep = true }, both, nil},
		{"cold, without log levels", func(p *run.Plan) { p.Without = append(p.Without, flow.EnvoyLog) }, both, nil},
		{"nothing is changed", func(p *run.Plan) {
			p.Keep, p.Without = true, append(p.Without, flow.EnvoyLog)
		}, nil, both},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lab, _ := workshop(t)
			p := plan(t, "http://fortio-server:8080/")
			tc.change(&p)
			if _, err := run.Do(t.Context(), lab.Run(), p, nil); err != nil {
				t.Fatal(err)
			}
			var holds, awaited []string
			read := false
			for _, asked := range lab.Asked() {
				if pod, ok := strings.CutPrefix(asked, "hold levels "); ok {
					holds = append(holds, pod)
				} else if pod, ok := strings.CutPrefix(asked, "await "); ok {
					awaited = append(awaited, pod)
				} else {
					read = read || !strings.HasPrefix(asked, "behind ")
					continue
				}
				if read {
					t.Errorf("%s comes after something was read or changed: %v", asked, lab.Asked())
				}
			}
			if !slices.Equal(holds, tc.holds) || !slices.Equal(awaited, tc.awaited) {
				t.Errorf("holds %v, awaits %v", holds, awaited)
			}
		})
	}
}

// TestAloneOnce takes each sidecar once, and no pod that has none or is not there.
func TestAloneOnce(t *testing.T) {
	lab := runtest.New(&runtest.Pod{Ref_: "a.mark", Dumps: [][]byte{nil}},
		&runtest.Pod{Ref_: "b.mark", Dumps: [][]byte{nil}}, &runtest.Pod{Ref_: "plain.mark"})
	s := run.NewSession(lab.Run(), undo.NewList(lab.Run().Restore, nil, nil))
	for _, refs := range [][]string{{"b", "plain", "gone", "a.mark", "b.mark"}, {"a", "b"}} {
		if err := s.Alone(t.Context(), refs...); err != nil {
			t.Fatal(err)
		}
	}
	if got := lab.Asked(); !slices.Equal(got, []string{"hold levels a.mark", "hold levels b.mark"}) {
		t.Errorf("%v", got)
	}
}

// TestAloneTogether lets runs take the same sidecars at once, each in another order: one after
// the other gets both.
func TestAloneTogether(t *testing.T) {
	lab := runtest.New(&runtest.Pod{Ref_: "a.mark", Dumps: [][]byte{nil}},
		&runtest.Pod{Ref_: "b.mark", Dumps: [][]byte{nil}})
	var all sync.WaitGroup
	for n := range 20 {
		refs := []string{"a", "b"}
		if n%2 == 1 {
			slices.Reverse(refs)
		}
		all.Go(func() {
			list := undo.NewList(lab.Run().Restore, nil, nil)
			if err := run.NewSession(lab.Run(), list).Alone(t.Context(), refs...); err != nil {
				t.Error(err)
			}
			if err := list.Undo(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	turn := []string{"hold levels a.mark", "hold levels b.mark", "restore b.mark", "restore a.mark"}
	if got := lab.Asked(); !slices.Equal(got, slices.Repeat(turn, 20)) {
		t.Errorf("%v", got)
	}
}

// TestAloneSaysWho waits for another run, says so once, and ends with its context.
func TestAloneSaysWho(t *testing.T) {
	lab := runtest.New(&runtest.Pod{Ref_: "a.mark", Dumps: [][]byte{nil}})
	first := run.NewSession(lab.Run(), undo.NewList(lab.Run().Restore, nil, nil))
	if err := first.Alone(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	second := run.NewSession(lab.Run(), undo.NewList(lab.Run().Restore, nil, nil))
	var notes []string
	ended := errors.New("ended")
	second.Note = func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf(format, args...))
		cancel(ended)
	}
	if err := second.Alone(ctx, "a"); !errors.Is(err, ended) || len(notes) != 1 ||
		!strings.Contains(notes[0], "another, pid 0, since") {
		t.Errorf("%v, notes %q", err, notes)
	}
}

// withGuard is a backend whose labs end with the process behind a socket.
type withGuard struct {
	cluster.Backend
	socket string
}

func (w withGuard) Guard(string) string { return w.socket }

// TestGone restores nothing in a lab that is gone, and says so of none that may come back.
func TestGone(t *testing.T) {
	for _, tc := range []struct {
		name, backend       string
		kubeconfig, guarded bool // is there
		answers, gone       bool
	}{
		{"it was taken down", "node", false, false, false, true},
		{"its guard was killed", "node", true, true, false, true},
		{"its guard and socket are gone", "node", true, false, false, true},
		{"its apiserver does not answer", "node", true, true, true, false},
		{"another backend's was taken down", "kind", false, false, false, true},
		{"another backend's does not answer", "kind", true, false, false, false},
		{"a cluster of others whose kubeconfig is gone", "existing", false, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "gone") // a socket's path is short
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			kubeconfig, socket := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "control")
			if tc.kubeconfig {
				text := `{"apiVersion":"v1","kind":"Config","current-context":"c",` +
					`"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],` +
					`"clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:1"}}],"users":[{"name":"u",` +
					`"user":{}}]}`
				if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if tc.guarded {
				l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				if l.SetUnlinkOnClose(false); !tc.answers {
					_ = l.Close()
				}
			}
			lab := run.Lab{Mesh: at{runtest.New(), kubeconfig},
				Cluster: &cluster.Lab{Name: "x", Backend: tc.backend}}
			if tc.backend == "node" {
				lab.Backend = withGuard{socket: socket}
			}
			failure := fault.Environmentf("no answer")
			if err := lab.Reach().UnlessGone(t.Context(), failure); errors.Is(err, failure) == tc.gone {
				t.Errorf("%v", err)
			}
			if tc.gone {
				insisted(t, lab.Reach())
			}
		})
	}
}

// insisted lets a guard restore what a run left in a lab that is gone: it does not try again.
func insisted(t *testing.T, reach run.Reach) {
	t.Helper()
	args, err := json.Marshal(struct {
		run.Reach
		Pod string `json:"pod"`
	}{reach, "a.mark"})
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	kinds := undo.Kinds{"log-level": func(ctx context.Context, raw json.RawMessage) error {
		tries++
		return run.UndoKinds["log-level"](ctx, raw)
	}}
	list := `{"add":{"id":1,"kind":"log-level","what":"restore","args":` + string(args) + `}}`
	if err := undo.Guard(strings.NewReader(list), io.Discard, kinds); err != nil || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

// at is a lab with a kubeconfig.
type at struct {
	*runtest.Lab
	kubeconfig string
}

func (a at) Kubeconfig() string { return a.kubeconfig }
