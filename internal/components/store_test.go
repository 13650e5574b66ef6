package components

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/progress"
)

// importer is a store of tiny images for the containerd that is in the person's cache.
func importer(t *testing.T) store {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	m, err := newMaker(Options{}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGobuild(t.Context(), checkoutToolchain)
	if err != nil {
		t.Fatal(err)
	}
	k, err := g.key(programs[slices.IndexFunc(programs, func(p program) bool { return p.name == "containerd" })])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.cache.look(k.String()); err != nil {
		t.Skipf("no containerd to try it with (run: lab build): %v", err)
	}
	bin := m.cache.content(k.String())
	images := testWork(t)
	if err := assemble(t.Context(), fakeParts(t, epoch), images); err != nil {
		t.Fatal(err)
	}
	return store{containerd: filepath.Join(bin, "containerd"), ctr: filepath.Join(bin, "ctr"), layout: images.content}
}

// mustNotBeMounted fails when something is mounted below dir.
func mustNotBeMounted(t *testing.T, dir string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), dir) {
		t.Errorf("something is still mounted below %s", dir)
	}
}

func TestStoreIsUnpacked(t *testing.T) {
	s := importer(t)
	w := testWork(t)
	if err := s.make(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	unpacked, err := filepath.Glob(filepath.Join(w.content,
		"io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs/usr/local/bin/envoy"))
	if err != nil || len(unpacked) != 1 {
		t.Errorf("Envoy is unpacked in %v, %v", unpacked, err)
	}
	images, err := readImages(s.layout)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		blob := strings.TrimPrefix(i.Digest, "sha256:")
		stored, errS := os.Stat(filepath.Join(w.content, "io.containerd.content.v1.content/blobs/sha256", blob))
		laidOut, errL := os.Stat(filepath.Join(s.layout, "blobs/sha256", blob))
		if err := errors.Join(errS, errL); err != nil || !os.SameFile(stored, laidOut) {
			t.Errorf("%s is stored twice, or not at all: %v", i.Ref, err)
		}
	}
	mustNotBeMounted(t, w.content)
}

func TestCancelledImportLeavesNothing(t *testing.T) {
	s := importer(t)
	c := testCache(t, progress.Quiet)
	k := testKey(t, "store")
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped by the test")
	_, err := c.ensure(ctx, k, "Importing", func(ctx context.Context, w work) error {
		w.task = &cancelling{recordTask{&record{}}, func() { cancel(stopped) }}
		return s.make(ctx, w)
	})
	if !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
	mustNotExist(t, c.entry(k.String()))
	mustBeEmpty(t, c.tmp())
	mustNotBeMounted(t, c.dir)
}

// cancelling is a task that stops the work at its first note: ctr has begun to import.
type cancelling struct {
	recordTask
	stop func()
}

func (c *cancelling) Note(string, ...any) { c.stop() }
