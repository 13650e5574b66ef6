package scenarios

import (
	"io/fs"
	"slices"
	"strings"
)

// A Workshop is an ordered list of lessons that are walked one after the other.
type Workshop struct {
	Name    string
	Title   string
	Lessons []string // names
}

// workshopEnd is how the file of a workshop is called, behind its name.
const workshopEnd = ".workshop.txt"

// Workshops are our workshops, by their names.
func Workshops() []Workshop {
	paths, _ := fs.Glob(files, "*"+workshopEnd) // the pattern is right, so there is no error
	slices.Sort(paths)
	var all []Workshop
	for _, path := range paths {
		text, err := files.ReadFile(path)
		if err != nil {
			panic("scenarios: " + path + " is not there, and was listed") // it is part of the program
		}
		w := Workshop{Name: strings.TrimSuffix(path, workshopEnd)}
		w.Title, w.Lessons = ParseWorkshop(string(text))
		all = append(all, w)
	}
	return all
}

// ParseWorkshop reads the file of a workshop: a lesson a line, # begins a comment, and the first
// comment is the title.
func ParseWorkshop(text string) (title string, lessons []string) {
	for line := range strings.Lines(text) {
		name, comment, commented := strings.Cut(line, "#")
		if commented && title == "" {
			title = strings.TrimSpace(comment)
		}
		if name = strings.TrimSpace(name); name != "" {
			lessons = append(lessons, strings.TrimSuffix(name, ".txtar"))
		}
	}
	return title, lessons
}
