package trace

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Match says where a pattern was found in a story.
type Match struct {
	Lines []Line  // one for each event of the pattern
	Names Binding // what the names stand for, those that were known before among them
}

// Find looks for the pattern in a story. known are names that have a meaning already. The error names the first line of the
// pattern that nothing was found for, and the event that comes nearest to it.
func (p *Pattern) Find(story []Line, known Binding) (*Match, error) {
	s := &search{pattern: p, story: story, matcher: matcher{}, failed: map[string]bool{}, deepest: -1}
	m := &Match{Names: known.with(nil)}
	if !s.from(0, 0, m) {
		return nil, s.explain()
	}
	return m, nil
}

// A search tries every way to lay a pattern over a story.
type search struct {
	pattern *Pattern
	story   []Line
	matcher matcher
	failed  map[string]bool // ways that were tried to their end

	// where it came furthest
	deepest  int // step that nothing was found for
	last     int // the event after the last that was found; 0: none was
	known    Binding
	intruder *Line // what a "no" forbids, if that was the reason
	forbids  step
}

// from looks for the steps from i on among the events from at on, and adds them to m.
func (s *search) from(i, at int, m *Match) bool {
	state := fmt.Sprint(i, at, m.Names) // fmt sorts a map's keys
	if s.failed[state] {
		return false
	}
	absent, event := s.next(i)
	if s.reach(event, at, m.Names); event == len(s.pattern.steps) {
		line, forbids := s.between(absent, at, len(s.story), m.Names)
		if line == nil {
			return true
		}
		s.forbidden(event, line, forbids)
		s.failed[state] = true
		return false
	}
	for k := at; k < len(s.story); k++ {
		more, ok := s.matcher.match(s.pattern.steps[event].text, m.Names, s.story[k].Text)
		if ok {
			found := &Match{Lines: append(slices.Clip(m.Lines), s.story[k]), Names: m.Names.with(more)}
			if s.from(event+1, k+1, found) {
				*m = *found
				return true
			}
		}
		if line, forbids := s.between(absent, k, k+1, m.Names); line != nil {
			s.forbidden(event, line, forbids)
			break
		}
	}
	s.failed[state] = true
	return false
}

// next returns the steps before the next event that must not happen, and the event.
func (s *search) next(i int) (absent []step, event int) {
	for event = i; event < len(s.pattern.steps) && s.pattern.steps[event].absent; event++ {
		absent = append(absent, s.pattern.steps[event])
	}
	return absent, event
}

// between returns the first event in a part of the story that must not be there.
func (s *search) between(absent []step, from, to int, names Binding) (*Line, step) {
	for k := from; k < to; k++ {
		for _, step := range absent {
			if _, ok := s.matcher.match(step.text, names, s.story[k].Text); ok {
				return &s.story[k], step
			}
		}
	}
	return nil, step{}
}

// reach notes how far the search came.
func (s *search) reach(event, at int, names Binding) {
	if event > s.deepest {
		s.deepest, s.last, s.known, s.intruder = event, at, maps.Clone(names), nil
	}
}

// forbidden notes what stood in the way of the furthest step.
func (s *search) forbidden(event int, line *Line, forbids step) {
	if event == s.deepest && s.intruder == nil {
		s.intruder, s.forbids = line, forbids
	}
}

// An OrderError says where a story is not as a pattern has it.
type OrderError struct {
	Place   string // file:line of the pattern
	Found   int    // events of the pattern that were found
	message string
}

func (e *OrderError) Error() string { return e.Place + ": " + e.message }

// explain says why the search failed.
func (s *search) explain() error {
	e := &OrderError{}
	for _, step := range s.pattern.steps[:s.deepest] {
		if !step.absent {
			e.Found++
		}
	}
	missing := s.forbids
	if s.deepest < len(s.pattern.steps) {
		missing = s.pattern.steps[s.deepest]
	}
	var b strings.Builder
	if s.intruder != nil {
		missing = s.forbids
		fmt.Fprintf(&b, "this must not happen here, and it did: %s\n\t%s", s.known.fill(missing.text), s.at(s.intruder))
	} else {
		fmt.Fprintf(&b, "no such event: %s", s.known.fill(missing.text))
	}
	if s.last > 0 {
		fmt.Fprintf(&b, "\nafter\n\t%s", s.at(&s.story[s.last-1]))
	}
	if s.intruder == nil {
		b.WriteString(s.nearest(missing))
	}
	e.Place, e.message = fmt.Sprintf("%s:%d", s.pattern.Name, missing.number), b.String()
	return e
}

// at is a line of the story with its time.
func (s *search) at(l *Line) string {
	return fmt.Sprintf("%d µs  %s", l.Event.Time.Sub(s.story[0].Event.Time).Microseconds(), l.Text)
}

// nearest names the event that comes nearest to the one that is missing: the same one at an earlier time, or the most similar one.
func (s *search) nearest(missing step) string {
	if len(s.story) == 0 {
		return "\nthere is no event at all"
	}
	for k := s.last - 1; k >= 0; k-- {
		if _, ok := s.matcher.match(missing.text, s.known, s.story[k].Text); ok {
			return "\nit comes too early\n\t" + s.at(&s.story[k])
		}
	}
	want := strings.Fields(s.known.fill(missing.text))
	best, most := -1, 1
	for k := range s.story {
		likeness := 2 * common(want, strings.Fields(s.story[k].Text))
		if likeness > 0 && k >= s.last {
			likeness++ // rather one that comes at the right time
		}
		if likeness > most {
			best, most = k, likeness
		}
	}
	if best < 0 {
		return ""
	}
	return "\nthe nearest is\n\t" + s.at(&s.story[best])
}

// common is how many words two lines have in common, in their order.
func common(a, b []string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(row[j], above)
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
