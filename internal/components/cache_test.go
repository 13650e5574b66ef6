package components

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowproof/lab/internal/progress"
)

func TestEnsureMakesOnce(t *testing.T) {
	c := testCache(t, progress.Quiet)
	k := testKey(t, "thing")
	for range 3 {
		var calls int
		m, err := c.ensure(t.Context(), k, "Making", func(ctx context.Context, w work) error {
			calls++
			return writes("made")(ctx, w)
		})
		if err != nil {
			t.Fatal(err)
		}
		if m.Digest == "" || m.Key != k.String() {
			t.Errorf("manifest %+v", m)
		}
		if _, err := os.Stat(filepath.Join(c.content(k.String()), "file")); err != nil {
			t.Error(err)
		}
		if calls > 0 && len(c.entries()) != 1 {
			t.Errorf("entries %v", c.entries())
		}
	}
	mustBeEmpty(t, c.tmp())
}

func TestEnsureRemakesWhatIsDamaged(t *testing.T) {
	other := func(path string) error { return os.WriteFile(path, []byte("another, longer content"), 0o644) }
	for name, damage := range map[string]func(entry string) error{
		"file gone":    func(e string) error { return os.Remove(filepath.Join(e, "content/file")) },
		"file cut off": func(e string) error { return os.Truncate(filepath.Join(e, "content/file"), 1) },
		"file grown":   func(e string) error { return other(filepath.Join(e, "content/file")) },
		"file written to": func(e string) error {
			return os.WriteFile(filepath.Join(e, "content/file"), []byte("evil"), 0o644)
		},
		"mode changed": func(e string) error { return os.Chmod(filepath.Join(e, "content/file"), 0o4755) },
		"now a directory": func(e string) error {
			f := filepath.Join(e, "content/file")
			os.Remove(f)
			return os.Mkdir(f, 0o755)
		},
		"manifest cut off": func(e string) error { return os.Truncate(filepath.Join(e, manifestName), 20) },
		"manifest of another time": func(e string) error {
			return os.WriteFile(filepath.Join(e, manifestName), []byte(`{"schema":"flowproof.dev/entry/v0"}`), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var said record
			c := testCache(t, &said)
			k := testKey(t, "thing")
			if _, err := c.ensure(t.Context(), k, "Making", writes("good")); err != nil {
				t.Fatal(err)
			}
			if err := damage(c.entry(k.String())); err != nil {
				t.Fatal(err)
			}
			if _, err := c.ensure(t.Context(), k, "Making", writes("good")); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(c.content(k.String()), "file"))
			if string(got) != "good" || err != nil {
				t.Errorf("content %q, %v", got, err)
			}
			if !strings.Contains(strings.Join(said.all(), "\n"), "is damaged") {
				t.Errorf("no word about it: %q", said.all())
			}
			mustBeEmpty(t, c.tmp())
		})
	}
}

func TestFullCheckSeesWhatTheQuickOneCannot(t *testing.T) {
	c := testCache(t, progress.Quiet)
	k := testKey(t, "thing")
	m, err := c.ensure(t.Context(), k, "Making", writes("good"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(c.content(k.String()), "file")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, file, "evil")
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := m.check(c.content(k.String()), false); err != nil {
		t.Errorf("quick check: %v", err)
	}
	if err := m.check(c.content(k.String()), true); err == nil {
		t.Error("full check sees nothing")
	}
	all, err := Verify(Options{CacheDir: c.dir}, progress.Quiet)
	if err == nil || len(all.Entries) != 1 || all.Entries[0].Broken == "" {
		t.Errorf("Verify: %+v, %v", all, err)
	}
	if _, err := c.ensure(t.Context(), k, "Making", writes("good")); err != nil {
		t.Error(err)
	}
	if _, err := Verify(Options{CacheDir: c.dir}, progress.Quiet); err != nil {
		t.Errorf("after it was made again: %v", err)
	}
}

func TestFailedMakingLeavesNothing(t *testing.T) {
	refused := errors.New("refused")
	for name, fail := range map[string]func(context.CancelCauseFunc) error{
		"error":     func(context.CancelCauseFunc) error { return refused },
		"cancelled": func(cancel context.CancelCauseFunc) error { cancel(refused); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := testCache(t, progress.Quiet)
			k := testKey(t, "thing")
			ctx, cancel := context.WithCancelCause(t.Context())
			_, err := c.ensure(ctx, k, "Making", func(ctx context.Context, w work) error {
				mustWrite(t, filepath.Join(w.content, "half"), "half")
				return fail(cancel)
			})
			if !errors.Is(err, refused) {
				t.Errorf("error %v", err)
			}
			mustNotExist(t, c.entry(k.String()))
			mustBeEmpty(t, c.tmp())
		})
	}
}

func TestTwoBuildersShareTheWork(t *testing.T) {
	dir := t.TempDir()
	k := testKey(t, "thing")
	var makings atomic.Int32
	begun, goOn := make(chan struct{}), make(chan struct{})
	build := func(p progress.Reporter) error {
		c, err := openCache(dir, p)
		if err != nil {
			return err
		}
		_, err = c.ensure(t.Context(), k, "Making", func(ctx context.Context, w work) error {
			if makings.Add(1) == 1 {
				close(begun)
			}
			<-goOn
			return writes("made")(ctx, w)
		})
		return err
	}
	errs := make(chan error, 2)
	go func() { errs <- build(progress.Quiet) }()
	<-begun
	var second waiter
	second.waits = func() { close(goOn) }
	go func() { errs <- build(&second) }()
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := makings.Load(); n != 1 {
		t.Errorf("made %d times", n)
	}
	if want := fmt.Sprintf("waiting for process %d", os.Getpid()); !strings.Contains(second.note, want) {
		t.Errorf("the second builder says %q, not %q", second.note, want)
	}
}

// waiter is a reporter that acts when a task says that it waits.
type waiter struct {
	record
	waits func()
	once  sync.Once
	note  string
}

func (w *waiter) Start(string) progress.Task { return &waitingTask{recordTask{&w.record}, w} }

type waitingTask struct {
	recordTask
	w *waiter
}

func (t *waitingTask) Note(format string, args ...any) {
	t.w.once.Do(func() {
		t.w.note = fmt.Sprintf(format, args...)
		t.w.waits()
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	c := testCache(t, progress.Quiet)
	k := testKey(t, "thing")
	held, err := acquire(t.Context(), c.lock(k.String()), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer held.release()
	ctx, cancel := context.WithCancel(t.Context())
	w := &waiter{waits: cancel}
	c.p = w
	if _, err := c.ensure(ctx, k, "Making", writes("made")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestKilledBuilder kills a process in the middle of making an entry, and lets the next one go on.
func TestKilledBuilder(t *testing.T) {
	if dir := os.Getenv("COMPONENTS_TEST_VICTIM"); dir != "" {
		victim(t, dir)
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledBuilder$")
	cmd.Env = append(os.Environ(), "COMPONENTS_TEST_VICTIM="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	c, err := openCache(dir, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	first, second := testKey(t, "first"), testKey(t, "second")
	if _, err := c.look(first.String()); err != nil {
		t.Errorf("what was finished is gone: %v", err)
	}
	mustNotExist(t, c.entry(second.String()))
	if left, _ := os.ReadDir(c.tmp()); len(left) != 1 {
		t.Errorf("%d half-made entries, want the killed one's", len(left))
	}
	c.sweep()
	mustBeEmpty(t, c.tmp())
	if _, err := c.ensure(t.Context(), second, "Making", writes("made")); err != nil {
		t.Error(err)
	}
}

// victim makes one entry, begins another, and waits for its end.
func victim(t *testing.T, dir string) {
	c, err := openCache(dir, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ensure(t.Context(), testKey(t, "first"), "", writes("made")); err != nil {
		t.Fatal(err)
	}
	c.ensure(t.Context(), testKey(t, "second"), "", func(ctx context.Context, w work) error {
		mustWrite(t, filepath.Join(w.content, "half"), "half")
		fmt.Println("half")
		<-time.After(time.Minute)
		return errors.New("this process was not killed")
	})
	os.Exit(1)
}

func TestSweepLeavesLivingBuildersAlone(t *testing.T) {
	c := testCache(t, progress.Quiet)
	_, err := c.ensure(t.Context(), testKey(t, "thing"), "Making", func(ctx context.Context, w work) error {
		c.sweep()
		return writes("made")(ctx, w)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFindOnlyLooks(t *testing.T) {
	c := testCache(t, progress.Quiet)
	c.readOnly = true
	_, err := c.ensure(t.Context(), testKey(t, "thing"), "Making", func(context.Context, work) error {
		t.Error("made something")
		return nil
	})
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "thing") {
		t.Errorf("error %v", err)
	}
}
