package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/walk"
	"github.com/flowproof/lab/internal/input"
	"github.com/flowproof/lab/scenarios"
)

// A course is the lessons that one call walks, in their order.
type course struct {
	lessons  []*walk.Lesson
	recorded *script.Recorded // the run that the lesson is walked beside; nil: it is run
}

// orderFile names the lessons of a folder in their order, one a line; # begins a comment.
const orderFile = "workshop.txt"

// findCourse finds what a name stands for: a bundle, a folder of lessons, a file, or a workshop or
// lesson of ours.
func findCourse(ctx context.Context, name, of string) (*course, error) {
	info, err := os.Stat(name)
	isDir := err == nil && info.IsDir()
	switch {
	case isDir && isBundle(name):
		return bundleCourse(ctx, name, of)
	case of != "":
		return nil, fault.Usagef("walk %s: --lesson is for a bundle, and there is none", name)
	case isDir && strings.ContainsRune(name, os.PathSeparator):
		return folderCourse(ctx, name)
	case strings.ContainsRune(name, os.PathSeparator):
		l, err := readLesson(ctx, name)
		if err != nil {
			return nil, err
		}
		return &course{lessons: []*walk.Lesson{l}}, nil
	}
	for _, w := range scenarios.Workshops() {
		if w.Name == name {
			return courseOf(w.Lessons)
		}
	}
	l, err := scenarios.Lesson(name)
	if err != nil {
		if isDir {
			return folderCourse(ctx, name)
		}
		return nil, err
	}
	return &course{lessons: []*walk.Lesson{l}}, nil
}

// courseOf is lessons of ours, by their names.
func courseOf(names []string) (*course, error) {
	c := &course{}
	for _, name := range names {
		l, err := scenarios.Lesson(name)
		if err != nil {
			return nil, err
		}
		c.lessons = append(c.lessons, l)
	}
	return c, nil
}

func isBundle(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "bundle.json"))
	return err == nil
}

// bundleCourse is a recorded run beside the lesson that it is a run of.
func bundleCourse(ctx context.Context, dir, of string) (*course, error) {
	_, recorded, err := recordedOf(ctx, dir)
	if err != nil {
		return nil, err
	}
	if of == "" {
		if of = lessonOf(recorded.Run.Call); of == "" {
			return nil, fault.Usagef(
				"walk %s: no lesson sends its request, %s %s (name one with --lesson)",
				dir,
				recorded.Run.Call.Method,
				recorded.Run.Call.URL,
			)
		}
	}
	var l *walk.Lesson
	if strings.ContainsRune(of, os.PathSeparator) {
		l, err = readLesson(ctx, of)
	} else {
		l, err = scenarios.Lesson(of)
	}
	if err != nil {
		return nil, err
	}
	return &course{lessons: []*walk.Lesson{l}, recorded: recorded}, nil
}

// lessonOf is our lesson that sends a call and asks most about it; "" where none does.
func lessonOf(call flow.Call) string {
	best, most := "", -1
	for _, name := range scenarios.Names() {
		l, err := scenarios.Lesson(name)
		if err != nil || l.Questions() <= most {
			continue
		}
		for _, p := range l.Phases {
			if slices.ContainsFunc(p.Lines, func(line script.Line) bool { return sends(line, call) }) {
				best, most = name, l.Questions()
			}
		}
	}
	return best
}

// sends reports whether a line of a scenario is the request of a call, as far as its words tell.
func sends(line script.Line, call flow.Call) bool {
	n := len(line.Words)
	return n >= 4 && line.Words[0] == "request" && line.Words[n-3] == call.From && line.Words[n-1] == call.URL
}

// folderCourse is the lessons of a folder: those that its workshop.txt names, or all in the
// order of their names.
func folderCourse(ctx context.Context, dir string) (*course, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		return nil, fault.Usagef(
			"walk %s: there is no lesson in it (a lesson is a file NAME.txtar; `lab walk --new NAME` makes one)",
			dir,
		)
	}
	slices.Sort(files)
	if files, err = ordered(ctx, dir, files); err != nil {
		return nil, err
	}
	c := &course{}
	for _, file := range files {
		l, err := readLesson(ctx, file)
		if err != nil {
			return nil, err
		}
		c.lessons = append(c.lessons, l)
	}
	return c, nil
}

// ordered are those of a folder's lessons that its workshop.txt names, in its order; all as they
// are where there is none.
func ordered(ctx context.Context, dir string, lessons []string) ([]string, error) {
	path := filepath.Join(dir, orderFile)
	order, err := input.ReadFile(ctx, path, maxScenario)
	if os.IsNotExist(err) {
		return lessons, nil
	}
	if err != nil {
		return nil, fault.Usagef("read workshop: %w", err)
	}
	var there, named []string
	for _, lesson := range lessons {
		there = append(there, strings.TrimSuffix(filepath.Base(lesson), ".txtar"))
	}
	_, names := scenarios.ParseWorkshop(string(order))
	for _, name := range names {
		if !slices.Contains(there, name) {
			return nil, fault.Usagef("read %s: %s is no lesson of this folder (there are %s)", path, name,
				strings.Join(there, ", "))
		}
		named = append(named, filepath.Join(dir, name+".txtar"))
	}
	if len(named) == 0 {
		return nil, fault.Usagef("read %s: it names no lesson (one a line; there are %s)", path,
			strings.Join(there, ", "))
	}
	return named, nil
}

// readLesson reads a lesson of the user's own, with the files of other languages beside it.
func readLesson(ctx context.Context, path string) (*walk.Lesson, error) {
	text, err := input.ReadFile(ctx, path, maxScenario)
	if err != nil {
		return nil, fault.Usagef("read lesson: %w", err)
	}
	base := strings.TrimSuffix(path, ".txtar")
	l := walk.NewLesson(scenarios.Parse(filepath.Base(base), text), text)
	for _, language := range lesson.Languages {
		words, err := input.ReadFile(ctx, base+"."+language+".txt", maxScenario)
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = l.Add(language, string(words))
		}
		if err != nil {
			return nil, fault.Usagef("read lesson: %w", err)
		}
	}
	return l, nil
}
