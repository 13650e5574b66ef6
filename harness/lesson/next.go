package lesson

import (
	"fmt"
	"slices"
	"strings"
)

// An Event is one line of a pattern of events: one that comes, or one that must not come there.
type Event struct {
	Text   string
	Absent bool
}

// AskNext makes the question which event comes next in a pattern, after the first one that a text
// is a part of. The wrong answers are what the pattern says does not come there, and its other
// events, the nearest first. file is the pattern's name.
func AskNext(file string, events []Event, after string) (Question, error) {
	q := Question{After: after, File: file}
	at := slices.IndexFunc(events, func(e Event) bool { return !e.Absent && strings.Contains(e.Text, after) })
	if at < 0 {
		return q, fmt.Errorf("no event of %s has %q", file, after)
	}
	next := at + 1
	for next < len(events) && events[next].Absent {
		next++
	}
	if next == len(events) {
		return q, fmt.Errorf("%s ends with the event that has %q", file, after)
	}
	q.Event = events[at].Text
	right := Choice{Name: events[next].Text, Right: true}
	q.Answer = right.Name
	var wrong []Choice
	add := func(e Event, why string) {
		known := func(c Choice) bool { return c.Name == e.Text }
		if e.Text != right.Name && e.Text != q.Event && !slices.ContainsFunc(wrong, known) {
			wrong = append(wrong, Choice{Name: e.Text, Why: why})
		}
	}
	for _, e := range events[at+1 : next] {
		add(e, "it does not happen before "+right.Name)
	}
	later := 0
	for _, e := range events[next+1:] {
		if !e.Absent {
			later++
			add(e, "it comes later, "+eventsOn(later))
		}
	}
	for i := at - 1; i >= 0; i-- {
		if !events[i].Absent {
			add(events[i], "it has come before")
		}
	}
	if len(wrong) == 0 {
		return q, fmt.Errorf("%s has no other event, so there is nothing to choose from", file)
	}
	q.Choices = arranged(q.Event, append([]Choice{right}, wrong[:min(len(wrong), mostChoices-1)]...))
	return q, nil
}

// eventsOn says by how many events another one comes later.
func eventsOn(n int) string {
	if n == 1 {
		return "1 event on"
	}
	return fmt.Sprintf("%d events on", n)
}
