package components

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// ErrDamaged is in the chain of an error for a program that is not what was made.
var ErrDamaged = errors.New("it is not what was made")

// Check reads programs of the set to their last byte, before they are run, and returns an error
// with ErrDamaged when one is not what was made. Ensure looks at sizes and times only, which tell
// of accidents but not of every change. What is damaged is marked, so that Ensure makes it again.
func (s *Set) Check(names ...string) error {
	m, err := readManifest(s.Dir)
	if err != nil {
		return fmt.Errorf("check programs: %w: %w (run: lab build)", ErrDamaged, err)
	}
	made := map[string]file{}
	for _, f := range m.Content {
		made[f.Path] = f
	}
	var group errgroup.Group
	for path, name := range programFiles(filepath.Base(s.Bin), names, made) {
		group.Go(func() error {
			err := checkFile(filepath.Dir(s.Bin), path, made)
			if err != nil {
				err = fmt.Errorf("check program %s: %w: %w (run: lab build, which makes it again)", name,
					ErrDamaged, err)
				err = errors.Join(err, s.mark(m, name))
			}
			return err
		})
	}
	return group.Wait()
}

// programFiles are the files that programs consist of, each with the program: several may be
// further names of one file, which is read once.
func programFiles(bin string, names []string, made map[string]file) map[string]string {
	files := map[string]string{}
	for _, name := range names {
		for path := filepath.Join(bin, name); files[path] == ""; {
			files[path] = name
			if target := made[path].Target; target != "" {
				path = filepath.Join(filepath.Dir(path), target)
			}
		}
	}
	return files
}

// checkFile compares one file with what was made.
func checkFile(content, path string, made map[string]file) error {
	want, ok := made[path]
	if !ok {
		return fmt.Errorf("there was no %s", path)
	}
	got, err := describe(content, filepath.Join(content, path))
	if err != nil {
		return err
	}
	if got.Mode != want.Mode || got.Target != want.Target {
		return fmt.Errorf("%s is another kind of file", path)
	}
	if want.Target != "" {
		return nil
	}
	sum, err := sumFile(filepath.Join(content, path))
	if err == nil && sum != want.SHA256 {
		err = fmt.Errorf("%s has other content", path)
	}
	return err
}

// mark takes the manifests from the set and from those of its parts that have the program in
// another form than was made.
func (s *Set) mark(m manifest, name string) error {
	var failed []error
	for _, input := range m.Inputs {
		f := strings.Fields(input)
		if len(f) < 2 || f[0] != partLabel {
			continue
		}
		part, err := readManifest(s.cache.entry(f[1]))
		if err != nil {
			continue // it is made again as it is
		}
		made := map[string]file{}
		for _, f := range part.Content {
			made[f.Path] = f
		}
		for _, folder := range []string{"", nodeBin} {
			if s.damaged(f[1], folder, name, made) {
				failed = append(failed, unmark(s.cache.entry(f[1])))
			}
		}
	}
	return errors.Join(append(failed, unmark(s.Dir))...)
}

// damaged says whether a part has the program in a folder of its own and in another form than made.
func (s *Set) damaged(part, folder, name string, made map[string]file) bool {
	if _, has := made[filepath.Join(folder, name)]; !has {
		return false
	}
	for path := range programFiles(folder, []string{name}, made) {
		if checkFile(s.cache.content(part), path, made) != nil {
			return true
		}
	}
	return false
}

func unmark(entry string) error {
	if err := os.Remove(filepath.Join(entry, manifestName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mark damaged entry: %w", err)
	}
	return nil
}
