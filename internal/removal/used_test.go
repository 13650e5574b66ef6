package removal

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoRemovalPastMounts looks for os.RemoveAll outside of tests.
func TestNoRemovalPastMounts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "out" ||
			strings.HasPrefix(d.Name(), ".") && rel != "."):
			return fs.SkipDir
		case filepath.Ext(path) != ".go", strings.HasSuffix(path, "_test.go"), filepath.Dir(rel) == "internal/removal":
			return nil
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), "os.RemoveAll(") {
			t.Errorf("%s calls os.RemoveAll, which empties what is mounted below (use removal.All)", rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
