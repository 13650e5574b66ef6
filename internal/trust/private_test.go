package trust

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWritePrivate(t *testing.T) {
	for name, before := range map[string]func(path, other string) error{
		"nothing":     func(string, string) error { return nil },
		"an old one":  func(path, _ string) error { return os.WriteFile(path, []byte("longer than the new"), 0o644) },
		"a link":      func(path, other string) error { return os.Symlink(other, path) },
		"a directory": func(path, _ string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
			path := filepath.Join(dir, "kubeconfig")
			if err := before(path, other); err != nil {
				t.Fatal(err)
			}
			err := WritePrivate(path, []byte("key"))
			if files, _ := os.ReadDir(dir); len(files) != 1 {
				t.Errorf("files %v", files)
			}
			if name == "a directory" {
				if err == nil {
					t.Error("a directory was replaced")
				}
				return
			}
			data, failed := os.ReadFile(path)
			info, _ := os.Lstat(path)
			if err != nil || failed != nil || string(data) != "key" || info.Mode() != 0o600 {
				t.Errorf("%q, %v, %v, %v", data, info, err, failed)
			}
			if _, err := os.Stat(other); !os.IsNotExist(err) {
				t.Errorf("what the link led to: %v", err)
			}
		})
	}
}
