package components

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/progress"
)

// fakeSet makes a set of the given parts in c, and returns it.
func fakeSet(t *testing.T, c *cache, parts ...string) *Set {
	t.Helper()
	k := newKey(setName)
	for _, part := range parts {
		made := testKey(t, part)
		if _, err := c.ensure(t.Context(), made, "", writes(part)); err != nil {
			t.Fatal(err)
		}
		k.add(partLabel, made.String())
	}
	set, err := k.key()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ensure(t.Context(), set, "", writes("set")); err != nil {
		t.Fatal(err)
	}
	return &Set{Dir: c.entry(set.String()), key: set.String(), cache: c}
}

// names are the kinds of the entries that c holds.
func names(c *cache) string {
	var kinds []string
	for _, e := range c.entries() {
		kinds = append(kinds, e[:strings.LastIndex(e, "-")])
	}
	return strings.Join(kinds, " ")
}

func TestPrune(t *testing.T) {
	for name, c := range map[string]struct {
		everything bool
		prepare    func(t *testing.T, older, newer *Set)
		want       string
	}{
		"older set goes, shared parts stay": {false, func(*testing.T, *Set, *Set) {}, "etcd kube-new set"},
		"held set stays": {false, func(t *testing.T, older, _ *Set) {
			hold(t, older)
		}, "etcd kube-new kube-old set set"},
		"released set goes": {false, func(t *testing.T, older, _ *Set) {
			hold(t, older).Close()
		}, "etcd kube-new set"},
		"derived data go with their set": {false, func(t *testing.T, older, _ *Set) {
			derive(t, older)
		}, "etcd kube-new set"},
		"derived data stay with theirs": {false, func(t *testing.T, _, newer *Set) {
			derive(t, newer)
		}, "etcd kube-new prepared set"},
		"damaged entries go": {false, func(t *testing.T, _, newer *Set) {
			if err := os.Remove(newer.cache.content(testKey(t, "etcd").String()) + "/file"); err != nil {
				t.Fatal(err)
			}
		}, "kube-new set"},
		"everything":            {true, func(*testing.T, *Set, *Set) {}, ""},
		"everything, held stay": {true, func(t *testing.T, older, _ *Set) { hold(t, older) }, "etcd kube-old set"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := testCache(t, progress.Quiet)
			older := fakeSet(t, cache, "etcd", "kube-old")
			newer := fakeSet(t, cache, "etcd", "kube-new")
			c.prepare(t, older, newer)
			mustPrune(t, cache, c.everything)
			if got := names(cache); got != c.want {
				t.Errorf("left %q, want %q", got, c.want)
			}
			mustBeEmpty(t, cache.tmp())
		})
	}
}

// mustPrune prunes and holds what is said to be removed against what is.
func mustPrune(t *testing.T, c *cache, everything bool) {
	t.Helper()
	before := c.entries()
	removed, err := Prune(Options{CacheDir: c.dir}, everything, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range removed {
		if !slices.Contains(before, e.Name) || slices.Contains(c.entries(), e.Name) {
			t.Errorf("%s was said to be removed", e.Name)
		}
	}
	if len(removed)+len(c.entries()) != len(before) {
		t.Errorf("removed %d of %d, left %d", len(removed), len(before), len(c.entries()))
	}
}

// derive makes data from a set.
func derive(t *testing.T, s *Set) {
	t.Helper()
	_, err := s.Derived(t.Context(), progress.Quiet, "prepared", "Preparing", [][]byte{[]byte("istio")},
		func(_ context.Context, dir string, _ progress.Task) error {
			return os.WriteFile(dir+"/data", nil, 0o600)
		})
	if err != nil {
		t.Fatal(err)
	}
}

// hold holds a set until the test ends.
func hold(t *testing.T, s *Set) *os.File {
	t.Helper()
	f, err := s.Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestDamagedEntryOfARunningLabIsNotReplaced(t *testing.T) {
	c := testCache(t, progress.Quiet)
	s := fakeSet(t, c, "etcd")
	hold(t, s)
	k := testKey(t, "etcd")
	if err := os.Remove(c.content(k.String()) + "/file"); err != nil {
		t.Fatal(err)
	}
	_, err := c.ensure(t.Context(), k, "Making", writes("etcd"))
	if err == nil || !strings.Contains(err.Error(), "lab down") {
		t.Errorf("error %v", err)
	}
}

func TestInfoCountsSharedFilesOnce(t *testing.T) {
	c := testCache(t, progress.Quiet)
	a, b := testKey(t, "a"), testKey(t, "b")
	if _, err := c.ensure(t.Context(), a, "", writes(strings.Repeat("x", 1<<20))); err != nil {
		t.Fatal(err)
	}
	_, err := c.ensure(t.Context(), b, "", func(_ context.Context, w work) error {
		return linkTree(c.content(a.String()), w.content)
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Info(Options{CacheDir: c.dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Entries) != 2 || all.Entries[0].Size < 1<<20 || all.Entries[1].Size > 1<<17 {
		t.Errorf("%+v", all)
	}
}

func TestInfoOfNoCacheMakesNone(t *testing.T) {
	dir := t.TempDir() + "/none"
	if all, err := Info(Options{CacheDir: dir}); err != nil || len(all.Entries) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	mustNotExist(t, dir)
}
