package components

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/flowproof/lab/internal/progress"
)

// TestCheckSeesAProgramThatWasExchanged changes a program in ways that leave its size and
// its time as they were.
func TestCheckSeesAProgramThatWasExchanged(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(bin string) error
		asked  string
		good   bool
	}{
		"nothing":             {func(string) error { return nil }, "kubectl", true},
		"a byte":              {func(bin string) error { return rewrite(bin+"/kube", "KUBE") }, "kube", false},
		"a byte, by its link": {func(bin string) error { return rewrite(bin+"/kube", "KUBE") }, "kubectl", false},
		"another program":     {func(bin string) error { return rewrite(bin+"/etcd", "ETCD") }, "kubectl", true},
		"the link":            {func(bin string) error { return relink(bin+"/kubectl", "etcd") }, "kubectl", false},
		"a file for the link": {func(bin string) error { return replace(bin + "/kubectl") }, "kubectl", false},
		"gone":                {func(bin string) error { return os.Remove(bin + "/kube") }, "kubectl", false},
		"one that never was":  {func(bin string) error { return replace(bin + "/evil") }, "evil", false},
		"the set's manifest": {func(bin string) error {
			return os.Remove(bin + "/../../" + manifestName)
		}, "kube", false},
		"its mode, to a setid": {func(bin string) error {
			return os.Chmod(bin+"/kube", 0o755|fs.ModeSetuid)
		}, "kube", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := smallSet(t)
			if err := tc.change(s.Bin); err != nil {
				t.Fatal(err)
			}
			err := s.Check(tc.asked)
			if tc.good && err != nil || !tc.good && !errors.Is(err, ErrDamaged) {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(filepath.Join(s.Dir, manifestName)); (err == nil) != tc.good {
				t.Errorf("the set's manifest: %v", err)
			}
		})
	}
}

// smallSet is a set of two programs, one with a second name.
func smallSet(t *testing.T) *Set {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "set-1", "content", "bin")
	if err := errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(bin+"/kube", []byte("kube"), 0o755),
		os.WriteFile(bin+"/etcd", []byte("etcd"), 0o755), os.Symlink("kube", bin+"/kubectl")); err != nil {
		t.Fatal(err)
	}
	content, err := scan(filepath.Dir(bin))
	if err != nil {
		t.Fatal(err)
	}
	m := manifest{Schema: manifestSchema, Key: "set-1", Content: content, Digest: digest(content)}
	if err := m.write(filepath.Join(dir, "set-1")); err != nil {
		t.Fatal(err)
	}
	return &Set{Dir: filepath.Join(dir, "set-1"), Bin: bin, cache: &cache{dir: dir, p: progress.Quiet}}
}

// rewrite changes a file's content and gives it its time back.
func rewrite(path, text string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path, []byte(text), 0o755), os.Chtimes(path, info.ModTime(), info.ModTime()))
}

func relink(path, target string) error { return errors.Join(os.Remove(path), os.Symlink(target, path)) }

func replace(path string) error {
	_ = os.Remove(path)
	return os.WriteFile(path, []byte("evil"), 0o755)
}
