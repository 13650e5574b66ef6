package components

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/internal/lazyregexp"
	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/progress"
)

// An Entry is one thing in the cache, for lab cache.
type Entry struct {
	Name   string        `json:"name"`
	Size   int64         `json:"bytes"` // on disk; files that several entries share are counted with the first
	Made   time.Time     `json:"made"`
	Took   time.Duration `json:"tookNanoseconds"`
	Cost   Cost          `json:"cost,omitzero"`
	Held   bool          `json:"held,omitempty"`    // a running lab uses it
	Broken string        `json:"damaged,omitempty"` // what differs from when it was made
}

// An Inventory is what the cache holds.
type Inventory struct {
	Schema  string  `json:"schema"`
	Dir     string  `json:"dir"`
	Size    int64   `json:"bytes"`
	Entries []Entry `json:"entries"`
}

// InventorySchema is the version of the Inventory's JSON form.
const InventorySchema = "flowproof.dev/cache/v1"

// Info lists the cache that o names, with a quick check of each entry.
func Info(o Options) (Inventory, error) { return inventory(o, false, progress.Quiet) }

// Verify lists the cache like Info, after reading every byte of it, and says on p what it reads.
// Entries that differ from when they were made lose their manifest, so that Ensure makes them
// again; the error names them.
func Verify(o Options, p progress.Reporter) (Inventory, error) {
	all, err := inventory(o, true, p)
	if err != nil {
		return all, err
	}
	var broken []string
	for _, e := range all.Entries {
		if e.Broken == "" {
			continue
		}
		broken = append(broken, e.Name+": "+e.Broken)
		if err := os.Remove(filepath.Join(all.Dir, e.Name, manifestName)); err != nil &&
			!errors.Is(err, fs.ErrNotExist) {
			return all, fmt.Errorf("mark damaged entry: %w", err)
		}
	}
	if len(broken) > 0 {
		return all, fmt.Errorf("verify cache: %d of %d entries are damaged (run: lab build, which makes them again): "+
			"%s",
			len(broken), len(all.Entries), strings.Join(broken, "; "))
	}
	return all, nil
}

func inventory(o Options, full bool, p progress.Reporter) (Inventory, error) {
	dir, err := o.cacheDir()
	if err != nil {
		return Inventory{}, err
	}
	all := Inventory{Schema: InventorySchema, Dir: dir, Entries: []Entry{}}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	c, err := openCache(dir, p)
	if err != nil {
		return all, err
	}
	held, seen, names := c.held(), map[uint64]bool{}, c.entries()
	task := p.Start("Reading the cache")
	defer task.Done(nil)
	task.Total(int64(len(names)))
	for i, name := range names {
		task.Note("%s", name)
		e := Entry{Name: name, Held: held[name], Size: diskUsage(c.entry(name), seen)}
		m, err := readManifest(c.entry(name))
		if err == nil {
			e.Made, e.Took, e.Cost = m.Made, m.Took, m.Cost
			err = m.check(c.content(name), full)
		}
		if err != nil {
			e.Broken = err.Error()
		}
		all.Size += e.Size
		all.Entries = append(all.Entries, e)
		task.Set(int64(i + 1))
	}
	return all, nil
}

// Prune removes every entry that neither the set which o describes nor a running lab uses, every
// damaged entry, and leftovers of interrupted builds. With everything set, only what running labs
// use stays. It returns what it removed.
func Prune(o Options, everything bool, p progress.Reporter) ([]Entry, error) {
	before, err := Info(o)
	if err != nil || len(before.Entries) == 0 {
		return []Entry{}, err
	}
	c, err := openCache(before.Dir, p)
	if err != nil {
		return nil, err
	}
	c.sweep()
	keep := c.held()
	if !everything {
		found := false
		for _, of := range everySet(o) {
			if s, err := Find(of); err == nil {
				c.mark(s.key, keep)
				found = found || !of.Kind && of.Images == o.Images
			}
		}
		if !found {
			c.markNewest(keep)
		}
	}
	removed := []Entry{}
	for _, e := range before.Entries {
		if c.wanted(e, keep) {
			continue
		}
		gone, err := c.remove(e.Name)
		if err != nil {
			return removed, fmt.Errorf("remove %s: %w", e.Name, err)
		}
		if gone {
			removed = append(removed, e)
		}
	}
	return removed, nil
}

// everySet are the sets of this version that labs on one cache may be made of: of both backends,
// and of each source of images.
func everySet(o Options) []Options {
	all := []Options{o}
	for _, images := range imageSources {
		for _, kind := range []bool{false, true} {
			if images.gather != nil {
				of := Options{CacheDir: o.CacheDir, Images: images.name, Kind: kind}
				all = append(all, of.WithValues())
			}
		}
	}
	return all
}

// wanted says whether an entry stays: it is kept, or it was made from a set that is kept.
func (c *cache) wanted(e Entry, keep map[string]bool) bool {
	if keep[e.Name] {
		return e.Held || e.Broken == ""
	}
	m, err := readManifest(c.entry(e.Name))
	return err == nil && e.Broken == "" && keep[m.setOf()]
}

// markNewest keeps the set that was made last, for when the one that is asked for
// was never finished.
func (c *cache) markNewest(keep map[string]bool) {
	newest, at := "", time.Time{}
	for _, name := range c.entries() {
		m, err := readManifest(c.entry(name))
		if err == nil && strings.HasPrefix(name, setName+"-") && m.Made.After(at) {
			newest, at = name, m.Made
		}
	}
	if newest != "" {
		c.mark(newest, keep)
	}
}

// remove takes an entry away unless a process makes or holds it at this moment.
func (c *cache) remove(name string) (bool, error) {
	for _, path := range []string{c.lock(name), c.useLock(name)} {
		l, err := tryLock(path, platform.Exclusive)
		if err != nil || l == nil {
			return false, err
		}
		defer l.release()
	}
	return true, c.discard(name)
}

// entryName is what a key's String looks like; other directories in the cache are
// not ours to judge.
var entryName = lazyregexp.New(`^[a-z0-9-]+-[0-9a-f]{16}$`)

// entries lists the names of what is in the cache.
func (c *cache) entries() []string {
	dirs, err := os.ReadDir(c.dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, d := range dirs {
		if d.IsDir() && entryName.MatchString(d.Name()) {
			names = append(names, d.Name())
		}
	}
	slices.Sort(names)
	return names
}

// diskUsage adds up the blocks below dir that are not in seen.
func diskUsage(dir string, seen map[uint64]bool) int64 {
	var size int64
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		file := platform.Identify(info)
		if file.Inode == 0 || !seen[file.Inode] {
			size += file.Size
		}
		seen[file.Inode] = true
		return nil
	})
	return size
}
