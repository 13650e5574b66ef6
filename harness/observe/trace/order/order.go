package order

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
)

// A Match says where a pattern was found in a story.
type Match struct {
	Lines []Line  // one for each event of the pattern
	Names Binding // what the names stand for, those that were known before among them
}

// How much a search may do before the pattern is too open for the story, and how much it may
// remember. An order of a scenario in the story of a request takes some thousands, and the most
// takes a second or two.
const (
	maxWork   = 50_000_000
	maxStates = 1_000_000
)

// stateWork is the work of a state beside that of its lines.
const stateWork = 50

// Find looks for the pattern in a story. known are names that have a meaning already. The error is
// an OrderError, which names the first line of the pattern that nothing was found for, and the
// event that comes nearest to it; or one of usage, for a pattern that could be laid over the story
// in more ways than can be tried; or the context's.
func (p *Pattern) Find(ctx context.Context, story []Line, known Binding) (*Match, error) {
	s := &search{ctx: ctx, pattern: p, story: story, matcher: matcher{budget: maxWork},
		failed: map[string]int{}, deepest: -1}
	for i := range story {
		s.texts = append(s.texts, oneBlank(strings.TrimSpace(story[i].Text)))
	}
	m := &Match{Names: known.with(nil)}
	if s.from(0, 0, m) {
		return m, nil
	}
	if s.stopped() {
		return nil, s.err
	}
	return nil, s.explain()
}

// A search tries every way to lay a pattern over a story.
type search struct {
	ctx     context.Context
	pattern *Pattern
	story   []Line
	texts   []string // of the story, as they are matched
	matcher matcher
	failed  map[string]int // of ways that were tried to their end, from which event on
	looked  int            // at the context, after how much work
	err     error          // why the search was given up

	// where it came furthest
	deepest  int // step that nothing was found for
	last     int // the event after the last that was found; 0: none was
	known    Binding
	intruder *Line // what a "no" forbids, if that was the reason
	forbids  step
}

// lookInterval is how much work is done between two looks at the context.
const lookInterval = 100_000

// stopped says whether the search is given up.
func (s *search) stopped() bool {
	if s.err != nil {
		return true
	}
	if s.matcher.spent() || len(s.failed) > maxStates {
		s.err = fault.Usagef("search %s: the pattern is too open: %d events can be taken for its lines in too many "+
			"ways (put more of the events' own text into the lines, and let names come again)",
			s.pattern.Name, len(s.story))
	} else if s.matcher.work-s.looked > lookInterval {
		s.looked = s.matcher.work
		if s.ctx.Err() != nil {
			s.err = context.Cause(s.ctx)
		}
	}
	return s.err != nil
}

// from looks for the steps from i on among the events from at on, and adds them to m.
func (s *search) from(i, at int, m *Match) bool {
	s.matcher.work += stateWork
	state := s.state(i, at, m.Names)
	if lowest, tried := s.failed[state]; tried && at >= lowest {
		return false
	}
	if s.lay(i, at, m) {
		return true
	}
	if !s.stopped() {
		s.failed[state] = at
	}
	return false
}

// state names what the steps from i on depend on. What fails from one event on fails from each
// later one, unless what must not happen comes first: then a later one may be after it.
func (s *search) state(i, at int, names Binding) string {
	key := binary.AppendUvarint(nil, uint64(i))
	if i < len(s.pattern.steps) && s.pattern.steps[i].absent {
		key = binary.AppendUvarint(key, uint64(at))
	}
	for _, name := range s.pattern.uses[i] {
		value, known := names[name]
		if !known {
			key = append(key, 0)
			continue
		}
		key = append(binary.AppendUvarint(key, uint64(len(value))+1), value...)
	}
	return string(key)
}

// lay tries every event for the first step from i on that is one.
func (s *search) lay(i, at int, m *Match) bool {
	absent, event := s.next(i)
	if s.reach(event, at, m.Names); event == len(s.pattern.steps) {
		line, forbids := s.between(absent, at, len(s.story), m.Names)
		if line != nil {
			s.forbidden(event, line, forbids)
		}
		return line == nil && !s.stopped()
	}
	for k := at; k < len(s.story) && !s.stopped(); k++ {
		more, ok := s.matcher.match(s.pattern.steps[event].form, m.Names, s.texts[k])
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
	for k := from; k < to && !s.stopped(); k++ {
		for _, step := range absent {
			if _, ok := s.matcher.match(step.form, names, s.texts[k]); ok {
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

// nearest names the event that comes nearest to the one that is missing: the same one at an earlier
// time, or the most similar one.
func (s *search) nearest(missing step) string {
	if len(s.story) == 0 {
		return "\nthere is no event at all"
	}
	for k := s.last - 1; k >= 0; k-- {
		if _, ok := s.matcher.match(missing.form, s.known, s.texts[k]); ok {
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
