package components

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/trust"
)

// A cache keeps finished entries under their keys:
//
//	<dir>/<key>/manifest.json   what the entry is, written last
//	<dir>/<key>/content/        what was made; never written to again
//	<dir>/.locks/<key>          held by the process that makes or removes the entry
//	<dir>/.locks/<key>.use      held, shared, by each process that uses a set
//	<dir>/.tmp/<key>~*          half-made entries, removed when their maker is gone
type cache struct {
	dir      string
	p        progress.Reporter
	readOnly bool // look only
}

// openCache makes sure that the cache's directories are there, and that root uses none that
// others can write to.
func openCache(dir string, p progress.Reporter) (*cache, error) {
	if err := trust.Cache(dir); err != nil {
		return nil, fault.Environmentf("%w", err)
	}
	for _, d := range []string{".locks", ".tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("open cache: %w (choose another place with FLOWPROOF_CACHE)", explain(err, ""))
		}
	}
	return &cache{dir: dir, p: p}, nil
}

func (c *cache) entry(k string) string   { return filepath.Join(c.dir, k) }
func (c *cache) content(k string) string { return filepath.Join(c.dir, k, "content") }
func (c *cache) lock(k string) string    { return filepath.Join(c.dir, ".locks", k) }
func (c *cache) useLock(k string) string { return filepath.Join(c.dir, ".locks", k+".use") }
func (c *cache) tmp() string             { return filepath.Join(c.dir, ".tmp") }

// A work is what a maker function is given: a directory for the entry's content, one for scratch,
// and the task to report on. Both directories are gone when the function fails.
type work struct {
	content string
	scratch string
	task    progress.Task
}

// ensure returns the manifest of entry k, which make makes when it is not there or damaged.
// title is what p shows.
func (c *cache) ensure(ctx context.Context, k key, title string,
	make func(context.Context, work) error) (manifest, error) {
	m, err := c.look(k.String())
	if err == nil {
		return m, nil
	}
	if c.readOnly {
		if errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("%w: %s", ErrMissing, k.name)
		}
		return m, fmt.Errorf("%w: %s is damaged: %w", ErrMissing, k.name, err)
	}
	task := c.p.Start(title)
	l, err := acquire(ctx, c.lock(k.String()), func(holder string) {
		task.Note("waiting for %s, which is making it", holder)
	})
	if err == nil {
		defer l.release()
		m, err = c.make(ctx, k, task, make)
	}
	if end := stopped(ctx); err != nil && end != nil {
		err = end
	}
	task.Done(err)
	if err != nil {
		return m, fmt.Errorf("make %s: %w", k.name, err)
	}
	return m, nil
}

// look checks quickly that an entry is there and as it was made.
func (c *cache) look(k string) (manifest, error) {
	m, err := readManifest(c.entry(k))
	if err != nil {
		return m, err
	}
	return m, m.check(c.content(k), false)
}

// make makes an entry under a temporary name and renames it when it is whole. The caller
// holds the entry's lock.
func (c *cache) make(ctx context.Context, k key, task progress.Task,
	make func(context.Context, work) error) (manifest, error) {
	m, err := c.look(k.String())
	if err == nil {
		return m, nil // another process made it while we waited
	}
	if !errors.Is(err, fs.ErrNotExist) {
		if c.held()[k.String()] {
			return m, fmt.Errorf("cache entry %s is damaged (%w), and a running lab uses it (take it down first: lab "+
				"down)", k, err)
		}
		c.p.Say("cache entry %s is damaged (%v): making it again", k, err)
	}
	if err := c.discard(k.String()); err != nil {
		return m, err
	}
	tmp, err := os.MkdirTemp(c.tmp(), k.String()+"~")
	if err != nil {
		return m, explain(err, "")
	}
	defer removal.All(tmp)
	w := work{content: filepath.Join(tmp, "entry", "content"), scratch: filepath.Join(tmp, "scratch"), task: task}
	for _, d := range []string{w.content, w.scratch} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return m, explain(err, "")
		}
	}
	start := time.Now()
	counted, cost := metered(ctx)
	if err := make(counted, w); err != nil {
		return m, explain(err, "")
	}
	if err := stopped(ctx); err != nil {
		return m, err
	}
	m = manifest{Schema: manifestSchema, Key: k.String(), Inputs: k.inputs, Made: time.Now().UTC(),
		Took: time.Since(start), Cost: cost.total()}
	if m.Content, err = scan(w.content); err != nil {
		return m, err
	}
	m.Digest = digest(m.Content)
	return m, c.commit(k.String(), filepath.Dir(w.content), m)
}

// commit gives a finished entry its name. Nothing is synced: syncfs(2) would wait for everything
// else that the machine writes. After a power failure a file that did not reach the disk is shorter
// than its manifest says (file systems raise a size only when the data are written), the manifest
// itself is cut off, and either way the entry is made again.
func (c *cache) commit(k, dir string, m manifest) error {
	if err := m.write(dir); err != nil {
		return explain(err, "")
	}
	return os.Rename(dir, c.entry(k))
}

// discard removes an entry and leftovers of its making. The caller holds the entry's lock. The
// entry is renamed first, so that no process finds half of it.
func (c *cache) discard(k string) error {
	if _, err := os.Lstat(c.entry(k)); err == nil {
		doomed, err := os.MkdirTemp(c.tmp(), k+"~")
		if err != nil {
			return explain(err, "")
		}
		if err := os.Rename(c.entry(k), filepath.Join(doomed, "entry")); err != nil {
			return err
		}
	}
	leftovers, err := filepath.Glob(filepath.Join(c.tmp(), k+"~*"))
	if err != nil {
		return err
	}
	for _, dir := range leftovers {
		if err := removal.All(dir); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes half-made entries whose makers are gone: their lock is free.
func (c *cache) sweep() {
	left, err := os.ReadDir(c.tmp())
	if err != nil {
		return
	}
	for _, d := range left {
		k, _, ok := strings.Cut(d.Name(), "~")
		if !ok {
			continue
		}
		l, err := tryLock(c.lock(k), platform.Exclusive)
		if err != nil || l == nil {
			continue
		}
		removal.All(filepath.Join(c.tmp(), d.Name()))
		l.release()
	}
}
