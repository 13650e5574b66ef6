//go:build linux && amd64

package trace

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/internal/symbols"
)

// TestStatementsOfALevel watches one request with all statements and with those of level debug: these are the others without what
// is logged below, and everything else is told alike.
func TestStatementsOfALevel(t *testing.T) {
	needRoot(t)
	if err := envoy.HaveMulti(); err != nil {
		skip(t, err.Error())
	}
	for version, path := range binaries(t) {
		t.Run(version, func(t *testing.T) {
			cache := symbols.Cache{Dir: t.TempDir()}
			told := map[Level][]string{}
			for _, level := range []Level{LevelTrace, LevelDebug} {
				r := watchLevel(t, path, cache, level)
				for _, e := range r.Events {
					if e.Kind == Statement && strings.HasPrefix(e.Thread, "wrk:") {
						told[level] = append(told[level], e.Text)
					}
				}
				if i := r.inside(benchPod); !i.Join || len(i.Values) != 3 || len(i.Statements) != len(evidence) || (i.Level == LevelDebug) != (level == LevelDebug) {
					t.Errorf("level %s: claimed of Envoy: %+v", level, i)
				}
				joins := newJournal(r.Events).joins
				if len(joins) != 1 || joins[0].at.Ends.Cluster == "" {
					t.Errorf("level %s: the request was joined %d times", level, len(joins))
				}
				below := slices.ContainsFunc(r.Blind(benchPod), func(s string) bool { return strings.HasPrefix(s, "log statements below debug") })
				if below != (level == LevelDebug) {
					t.Errorf("level %s: that others may have been reached is said: %v", level, below)
				}
			}
			for _, want := range []string{"{}new connection from {}", "{}pool ready", evidence[0].format} {
				if !slices.Contains(told[LevelDebug], want) {
					t.Errorf("%q is not told at level debug", want)
				}
			}
			if all, some := len(told[LevelTrace]), len(told[LevelDebug]); slices.Contains(told[LevelDebug], "{}socket event: {}") || some*2 > all {
				t.Errorf("level debug told %d of %d statements", some, all)
			}
		})
	}
}

// watchLevel sends one request through an Envoy of its own while it is watched.
func watchLevel(t *testing.T, path string, cache symbols.Cache, level Level) *Recording {
	t.Helper()
	return onItsOwnThread(t, func() (_ *Recording, err error) {
		b, err := newBench(t.Context(), path)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.close()) }()
		s, err := b.watch(t.Context(), Options{Cache: cache, Statements: level})
		if err != nil {
			return nil, err
		}
		if _, err := b.once(b.routes[0].port); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return s.Stop()
	})
}
