// Package toolchain carries the modules that the embedded node's programs are built from. Their
// go.mod files make them modules of their own, which a go command leaves out of ours; so they
// travel as one archive inside the program, and a program that was installed alone builds the same
// parts as one that stands in a checkout.
package toolchain

import (
	_ "embed"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/tools/txtar"
)

// Folder is where a checkout keeps the modules. The archive is written from it: go test
// ./internal/toolchain -update.
const Folder = "toolchain"

//go:embed toolchain.txtar
var archive []byte

// Archive returns the bytes that the modules are read from. They change when any file
// of the modules does.
func Archive() []byte { return archive }

// Files returns the modules' files, by their paths below Folder.
func Files() (fs.FS, error) {
	files, err := txtar.FS(txtar.Parse(archive))
	if err != nil {
		return nil, fmt.Errorf("read the archive of %s: %w", Folder, err)
	}
	return files, nil
}

// Write writes the modules' files into dir, which is empty. It returns what the
// file system answered.
func Write(dir string) error {
	files, err := Files()
	if err == nil {
		err = os.CopyFS(dir, files)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", Folder, err)
	}
	return nil
}
