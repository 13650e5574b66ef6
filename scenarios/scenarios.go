// Package scenarios holds the lab's scenarios. Each file is lesson, test and demonstration at once;
// `lab run NAME` runs one, `go test` in this folder runs them all. The files are part of the
// program, so that an installed lab has them.
package scenarios

import (
	"cmp"
	"embed"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/walk"
	"github.com/flowproof/lab/internal/near"
)

//go:embed *.txtar *.txt
var files embed.FS

// recorded are config dumps of the lab's own sidecars, redacted, for scenarios that need no lab.
//
//go:embed dumps
var recorded embed.FS

// Names returns the names of all scenarios, sorted.
func Names() []string {
	paths, _ := fs.Glob(files, "*.txtar") // the pattern is right, so there is no error
	names := make([]string, 0, len(paths))
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(path, ".txtar"))
	}
	slices.Sort(names)
	return names
}

// Parse reads a scenario that is not one of ours. Our recorded dumps lie beside it too.
func Parse(name string, text []byte) *script.Scenario {
	s := script.Parse(name, text)
	s.Files = recorded
	return s
}

// Find returns a scenario by its name. An error names the near ones and has the exit
// code for bad input.
func Find(name string) (*script.Scenario, error) {
	name = strings.TrimSuffix(name, ".txtar")
	text, err := files.ReadFile(name + ".txtar")
	if err != nil {
		return nil, fault.Usagef("find scenario %q: there is none of that name (%s)", name, hint(name))
	}
	return Parse(name, text), nil
}

// Sources are the files of a lesson as they were written: its scenario, and its words in other
// languages. They are by what stands behind the lesson's name: .txtar, .zh.txt.
func Sources(name string) (map[string][]byte, error) {
	s, err := Find(name)
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	ends := []string{".txtar"}
	for _, language := range lesson.Languages {
		ends = append(ends, "."+language+".txt")
	}
	for _, end := range ends {
		text, err := files.ReadFile(s.Name + end)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			all[end] = text
		}
	}
	return all, nil
}

// Lesson returns a scenario as it is walked, with its words in the languages that it has them in.
func Lesson(name string) (*walk.Lesson, error) {
	s, err := Find(name)
	if err != nil {
		return nil, err
	}
	text, err := files.ReadFile(s.Name + ".txtar")
	if err != nil {
		return nil, err
	}
	l := walk.NewLesson(s, text)
	for _, language := range lesson.Languages {
		words, err := files.ReadFile(s.Name + "." + language + ".txt")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := cmp.Or(err, l.Add(language, string(words))); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// hint names the scenarios near a name, or all of them.
func hint(name string) string {
	var alike []string
	for _, known := range Names() {
		if near.Distance(name, known) <= max(2, len(known)/3) || strings.HasPrefix(known, name) {
			alike = append(alike, known)
		}
	}
	if len(alike) == 0 {
		return "there are: " + strings.Join(Names(), ", ")
	}
	return "did you mean " + strings.Join(alike, " or ") + "?"
}
