//go:build linux && amd64

package capture

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/testbed"
)

// TestStatementsOfALevel watches one request with all statements and with those of level debug:
// these are the others without what is logged below, and everything else is told alike.
func TestStatementsOfALevel(t *testing.T) {
	needRoot(t)
	if err := envoy.HaveMulti(); err != nil {
		skip(t, err.Error())
	}
	for version, path := range binaries(t) {
		t.Run(version, func(t *testing.T) {
			cache := envoybinary.Cache{Dir: t.TempDir()}
			told := map[trace.Level][]string{}
			for _, level := range []trace.Level{trace.LevelTrace, trace.LevelDebug} {
				r := watchLevel(t, path, cache, level)
				for _, e := range r.Events {
					if e.Kind == trace.Statement && strings.HasPrefix(e.Thread, "wrk:") {
						told[level] = append(told[level], e.Text)
					}
				}
				if i := r.Envoys[0]; !i.Join || len(i.Values) != 3 || len(i.Statements) != len(trace.Evidence()) ||
					(i.Level == trace.LevelDebug) != (level == trace.LevelDebug) {
					t.Errorf("level %s: claimed of Envoy: %+v", level, i)
				}
				var joins []*trace.Event
				served, _ := r.Served()
				for _, s := range served {
					joins = append(joins, s.Requests...)
				}
				if len(joins) != 1 || joins[0].Ends.Cluster == "" {
					t.Errorf("level %s: the request was joined %d times", level, len(joins))
				}
				below := slices.ContainsFunc(r.Blind(bedPod), func(s string) bool {
					return strings.HasPrefix(s, "log statements below debug")
				})
				if below != (level == trace.LevelDebug) {
					t.Errorf("level %s: that others may have been reached is said: %v", level, below)
				}
			}
			for _, want := range []string{"{}new connection from {}", "{}pool ready", trace.Evidence()[0]} {
				if !slices.Contains(told[trace.LevelDebug], want) {
					t.Errorf("%q is not told at level debug", want)
				}
			}
			if all, some := len(told[trace.LevelTrace]),
				len(told[trace.LevelDebug]); slices.Contains(told[trace.LevelDebug], "{}socket event: {}") ||
				some*2 > all {
				t.Errorf("level debug told %d of %d statements", some, all)
			}
		})
	}
}

// watchLevel sends one request through an Envoy of its own while it is watched.
func watchLevel(t *testing.T, path string, cache envoybinary.Cache, level trace.Level) *trace.Recording {
	t.Helper()
	return onItsOwnThread(t, func() (_ *trace.Recording, err error) {
		b, err := testbed.New(t.Context(), path)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		s, err := watchBed(t.Context(), b, Options{Cache: cache, Statements: level})
		if err != nil {
			return nil, err
		}
		if _, err := b.Once(b.Routes[0].Port); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return s.Stop()
	})
}
