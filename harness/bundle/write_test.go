package bundle

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

func TestRoundTrip(t *testing.T) {
	want := contents(t).Verdict
	if want.Result != flow.Verified {
		t.Fatalf("the run itself is %s: %q", want.Result, want.Problems)
	}
	c, err := Read(t.Context(), written(t))
	if err != nil {
		t.Fatal(err)
	}
	run, got := judged(t, c)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("judged again: %s %q", got.Result, got.Problems)
	}
	if !reflect.DeepEqual(c.Verdict, want) {
		t.Error("the verdict that was kept is another one")
	}
	if len(run.Observations) != len(c.Run.Observations) || len(c.Dumps) != 2 {
		t.Errorf("%d observations, kept %d; %d dumps", len(run.Observations), len(c.Run.Observations), len(c.Dumps))
	}
}

func TestSecretsAndModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bundle")
	if _, err := Write(dir, contents(t)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[entry.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if !entry.IsDir() {
			text, err := os.ReadFile(path)
			if err != nil || bytes.Contains(text, []byte("hunter2")) {
				t.Errorf("%s holds a secret (%v)", path, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteRefuses(t *testing.T) {
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(other, contents(t)); fault.Of(err) != fault.Usage ||
		!strings.Contains(err.Error(), "something else than a bundle") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(other, "thesis.txt")); err != nil {
		t.Error("another's file is gone")
	}
	if _, err := Write(t.TempDir(), contents(t)); err != nil {
		t.Errorf("an empty directory must be taken: %v", err)
	}
	c := contents(t)
	c.Dumps["../../etc/passwd"] = []byte("{}")
	if _, err := Write(filepath.Join(t.TempDir(), "b"), c); err == nil ||
		!strings.Contains(err.Error(), "it is no name of a pod") {
		t.Errorf("error %v", err)
	}
	if _, err := Write(filepath.Join(t.TempDir(), "no", "parent"), contents(t)); fault.Of(err) != fault.Environment {
		t.Errorf("error %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(written(t), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(link, contents(t)); fault.Of(err) != fault.Usage {
		t.Errorf("a link to a bundle must not be replaced: %v", err)
	}
}

// TestReplace writes over a bundle that is there: it is told when that one was written, and
// nothing of it stays.
func TestReplace(t *testing.T) {
	dir := written(t)
	m, _, err := readManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := contents(t)
	c.Recording.Trace = nil
	replaced, err := Write(dir, c)
	if err != nil || !replaced.Equal(m.Written) || replaced.IsZero() {
		t.Errorf("replaced the one of %s: %v", replaced, err)
	}
	if _, err := os.Stat(filepath.Join(dir, traceFile)); err == nil {
		t.Error("a file of the old bundle is there still")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
