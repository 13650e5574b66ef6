package toolchain

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/flowproof/lab/internal/golden"
)

// TestArchiveIsTheFolder holds what the program carries against what a developer edits.
func TestArchiveIsTheFolder(t *testing.T) {
	root := filepath.Join("../..", Folder)
	var a txtar.Archive
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		a.Files = append(a.Files, txtar.File{Name: filepath.ToSlash(name), Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := txtar.Format(&a)
	if golden.Updating() {
		if err := os.WriteFile("toolchain.txtar", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(archive, want) {
		t.Errorf("the archive is not %s as it is now (run: go test ./internal/toolchain -update)", root)
	}
}

// TestWrite compares each file that Write made with the folder's.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir); err != nil {
		t.Fatal(err)
	}
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		count++
		got, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		want, err := os.ReadFile(filepath.Join("../..", Folder, path))
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not the folder's", path)
		}
		return err
	})
	if err != nil || count == 0 {
		t.Errorf("%d files, %v", count, err)
	}
}
