package platform

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLock holds who may have a file's lock at the same time. Two opened files are as two
// processes to the system.
func TestLock(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second LockKind
		both          bool
	}{
		{"one holder alone", Exclusive, Exclusive, false},
		{"one holder keeps those out that share", Exclusive, Shared, false},
		{"those that share keep one holder out", Shared, Exclusive, false},
		{"those that share do so", Shared, Shared, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock")
			first, second := open(t, path), open(t, path)
			if ours, err := Lock(first, c.first); !ours || err != nil {
				t.Fatalf("the first lock: %v, %v", ours, err)
			}
			if ours, err := Lock(second, c.second); ours != c.both || err != nil {
				t.Fatalf("the second lock: %v, %v", ours, err)
			}
			first.Close()
			if err := LockWait(second, c.second); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestFileSystem finds the file system of a directory, and none of one that is not there.
func TestFileSystem(t *testing.T) {
	if _, free, err := FileSystem(t.TempDir()); free == 0 || err != nil {
		t.Errorf("%d bytes free, %v", free, err)
	}
	if _, _, err := FileSystem(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Errorf("a directory that is not there: %v", err)
	}
}
