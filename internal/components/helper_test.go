package components

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/toolchain"
)

// checkoutToolchain is the folder that the toolchain which the program carries is written from.
const checkoutToolchain = "../../" + toolchain.Folder

// record is a reporter that keeps what it is told.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *record) Start(title string) progress.Task { r.add("start %s", title); return &recordTask{r} }
func (r *record) Say(format string, args ...any)   { r.add("say "+format, args...) }

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

type recordTask struct{ r *record }

func (t *recordTask) Total(n int64)                   { t.r.add("total %d", n) }
func (t *recordTask) Set(n int64)                     { t.r.add("set %d", n) }
func (t *recordTask) Note(format string, args ...any) { t.r.add("note "+format, args...) }
func (t *recordTask) Done(err error)                  { t.r.add("done %v", err) }

// testCache is a cache in a directory of the test's own.
func testCache(t *testing.T, p progress.Reporter) *cache {
	t.Helper()
	c, err := openCache(t.TempDir(), p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testKey(t *testing.T, name string, inputs ...string) key {
	t.Helper()
	k := newKey(name)
	for _, in := range inputs {
		k.add("input", in)
	}
	made, err := k.key()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// writes is a make function that leaves one file with the given content.
func writes(content string) func(context.Context, work) error {
	return func(_ context.Context, w work) error {
		return os.WriteFile(filepath.Join(w.content, "file"), []byte(content), 0o644)
	}
}

// testWork is what a make function is given.
func testWork(t *testing.T) work {
	t.Helper()
	w := work{content: filepath.Join(t.TempDir(), "content"), scratch: t.TempDir(), task: progress.Quiet.Start("")}
	if err := os.MkdirAll(w.content, 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustNotExist(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("%s is left behind", path)
	}
}

// mustBeEmpty fails when a directory holds something.
func mustBeEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range left {
		t.Errorf("%s is left behind", d.Name())
	}
}
