package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/walk"
	"github.com/flowproof/lab/scenarios"
)

// lessonEntry is one line of `lab walk --list`.
type lessonEntry struct {
	Name      string `json:"name"`
	Title     string `json:"title"`
	Minutes   int    `json:"minutes"`
	Steps     int    `json:"steps"`
	Questions int    `json:"questions"`
	State     string `json:"state"` // open, begun, done
	Step      int    `json:"step,omitempty"`
}

// lessonsResult is the JSON form of `lab walk --list`.
type lessonsResult struct {
	Schema  string        `json:"schema"` // lessonsSchema
	Lessons []lessonEntry `json:"lessons"`
	// Workshops are our lists of lessons; none where those of a folder are listed.
	Workshops []workshopEntry `json:"workshops,omitempty"`
}

const lessonsSchema = "flowproof.dev/lessons/v1"

// listLessons lists our lessons, or those of a folder.
func (a *app) listLessons(ctx context.Context, args []string, flags walkFlags) error {
	store, err := lesson.Open()
	if err != nil {
		return err
	}
	var c *course
	result := lessonsResult{Schema: lessonsSchema, Lessons: []lessonEntry{}}
	if len(args) == 1 {
		c, err = findCourse(ctx, args[0], flags.lesson)
	} else {
		c, err = courseOf(scenarios.Names())
	}
	if err != nil {
		return err
	}
	if len(args) == 0 {
		result.Workshops = workshopsOf(c.lessons)
	}
	for _, l := range c.lessons {
		result.Lessons = append(result.Lessons, entryOf(l, store.Load(ctx, l.Name, l.Sum)))
	}
	return a.table(result, result.text)
}

// entryOf is the line of a lesson, with how far the learner is in it.
func entryOf(l *walk.Lesson, p *lesson.Progress) lessonEntry {
	e := lessonEntry{
		Name:      l.Name,
		Title:     l.Title,
		Minutes:   l.Minutes(),
		Steps:     len(l.Phases),
		Questions: l.Questions(),
		State:     "open",
	}
	switch {
	case p.Done:
		e.State = "done"
	case p.Step > 1:
		e.State, e.Step = "begun", p.Step
	}
	return e
}

// text writes the list as a table.
func (r lessonsResult) text(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range r.Lessons {
		state := e.State
		if e.Step > 0 {
			state = fmt.Sprintf("step %d of %d", e.Step, e.Steps)
		}
		fmt.Fprintf(table, "%s\t%d min\t%s\t%s\n", e.Name, e.Minutes, state, e.Title)
	}
	if len(r.Workshops) > 0 {
		fmt.Fprintln(table, "\nWorkshops, each of several lessons:")
	}
	for _, e := range r.Workshops {
		fmt.Fprintf(table, "%s\t%d min\t%d lessons\t%s\n", e.Name, e.Minutes, len(e.Lessons), e.Title)
	}
	return table.Flush()
}

// workshopEntry is one workshop of `lab walk --list`.
type workshopEntry struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Minutes int      `json:"minutes"`
	Lessons []string `json:"lessons"`
}

// workshopsOf are our workshops, with how long their lessons take together.
func workshopsOf(lessons []*walk.Lesson) []workshopEntry {
	var all []workshopEntry
	for _, w := range scenarios.Workshops() {
		e := workshopEntry{Name: w.Name, Title: w.Title, Lessons: w.Lessons}
		for _, l := range lessons {
			if slices.Contains(w.Lessons, l.Name) {
				e.Minutes += l.Minutes()
			}
		}
		all = append(all, e)
	}
	return all
}
