package components

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/progress"
)

// A set's entry names the entries that the set is made of in lines "part <key> …" of its manifest's
// inputs, and a derived entry names its set in a line "set <key>".
const (
	setName   = "set"
	partLabel = "part"
	setLabel  = "set"
)

// Hold keeps the set from being pruned until the returned file is closed, by this process and by
// every child that it was handed to.
func (s *Set) Hold() (*os.File, error) {
	l, err := tryLock(s.cache.useLock(s.key), platform.Shared)
	if err == nil && l == nil {
		err = fmt.Errorf("it is being removed (try again)")
	}
	if err != nil {
		return nil, fmt.Errorf("hold components: %w", err)
	}
	return l.f, nil
}

// Derived returns a directory of data that are made from the set and from inputs, and has make
// make it once, in the same cache and under the same rules as the set: whole or not there, one
// maker at a time, remade when damaged, gone with its set. name and title are for people; make
// is given an empty directory.
func (s *Set) Derived(ctx context.Context, p progress.Reporter, name, title string, inputs [][]byte,
	make func(ctx context.Context, dir string, task progress.Task) error) (string, error) {
	k := newKey(name).add(setLabel, s.key)
	for _, input := range inputs {
		k.bytes("input", input)
	}
	derived, err := k.key()
	if err != nil {
		return "", err
	}
	c := &cache{dir: s.cache.dir, p: p}
	_, err = c.ensure(ctx, derived, title, func(ctx context.Context, w work) error {
		return make(ctx, w.content, w.task)
	})
	return c.content(derived.String()), err
}

// Archive writes the set's images as one OCI archive, which kind load image-archive and ctr
// images import read.
func (s *Set) Archive(w io.Writer) error {
	if err := tarTree(w, s.Layout); err != nil {
		return fmt.Errorf("write image archive: %w", err)
	}
	return nil
}

// held names the entries that running labs use: all parts of the sets that are held, and those
// sets.
func (c *cache) held() map[string]bool {
	held := map[string]bool{}
	for _, e := range c.entries() {
		if !strings.HasPrefix(e, setName+"-") {
			continue
		}
		l, err := tryLock(c.useLock(e), platform.Exclusive)
		if err == nil && l != nil {
			l.release()
			continue
		}
		c.mark(e, held)
	}
	return held
}

// mark adds a set and its parts to keep.
func (c *cache) mark(set string, keep map[string]bool) {
	keep[set] = true
	m, err := readManifest(c.entry(set))
	if err != nil {
		return
	}
	for _, input := range m.Inputs {
		if f := strings.Fields(input); len(f) >= 2 && f[0] == partLabel {
			keep[f[1]] = true
		}
	}
}

// setOf is the set that a derived entry was made from, or nothing.
func (m manifest) setOf() string {
	for _, input := range m.Inputs {
		if set, ok := strings.CutPrefix(input, setLabel+" "); ok {
			return set
		}
	}
	return ""
}
