// Package order tells what a recording of package trace holds as a story, a line each event, and
// finds orders of events in it: a Pattern is lines of a story in which what varies is left open. It
// reads no evidence of its own and decides about no hop.
package order

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// A Pattern is an order of events: lines of a story in which what varies is left open. It holds
// where its lines are found in this order. Anything may happen in between.
//
//	# A comment.
//	envoy $worker fd $down: accept $peer → *:15006
//	no envoy $worker fd $down: write *
//	envoy $worker: filter.chain = "0.0.0.0_8080"
//
// A * stands for any text. $name stands for one word, or a part of one, and for the same one
// wherever the name comes again; $NAME in capitals for what is known already. Where a line fits an
// event in several ways, its first * or name takes as little as it can. A line that begins with
// "no" holds where no such event comes between the lines around it. Several blanks are as one.
type Pattern struct {
	Name  string
	steps []step
	uses  [][]string // the names that the steps from each on use, sorted
}

// maxPatternLine bounds one line of a pattern, in bytes.
const maxPatternLine = 1 << 20

// A step is one line of a pattern.
type step struct {
	number int    // line of the file, from 1
	text   string // without "no"
	absent bool
	form   form
}

// ParsePattern reads a pattern. name is the file's, for errors.
func ParsePattern(name, text string) (*Pattern, error) {
	p := &Pattern{Name: name}
	events := 0
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = oneBlank(strings.TrimSpace(line))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if line == "no" {
			return nil, fmt.Errorf("read %s:%d: there is no event after \"no\" (write the one that must not happen; "+
				"no * is any)", name, number)
		}
		s := step{number: number, text: line}
		if s.text, s.absent = strings.CutPrefix(line, "no "); !s.absent {
			events++
		}
		if len(s.text) > maxPatternLine {
			return nil, fmt.Errorf("read %s:%d: the line is too long", name, number)
		}
		s.form = newForm(s.text)
		p.steps = append(p.steps, s)
	}
	if events == 0 {
		return nil, fmt.Errorf("read %s: there is no event in it (write one a line, as `lab trace --events` shows "+
			"it, with * and $name for what varies)", name)
	}
	p.uses = make([][]string, len(p.steps)+1)
	for i, s := range slices.Backward(p.steps) {
		names := slices.Concat(p.uses[i+1], s.form.names)
		slices.Sort(names)
		p.uses[i] = slices.Compact(names)
	}
	return p, nil
}

// An Expected is one line of a pattern: an event that comes, or with Absent one that must not come
// between the lines around it.
type Expected struct {
	Text   string
	Absent bool
}

// Expects are the lines of the pattern, in their order.
func (p *Pattern) Expects() []Expected {
	var all []Expected
	for _, s := range p.steps {
		all = append(all, Expected{s.text, s.absent})
	}
	return all
}

// Forbids says whether the pattern says of an event that it must not happen. That proves something
// only where it would have been seen: see Recording.Blind.
func (p *Pattern) Forbids() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return s.absent })
}

// Check reports the first name in capitals that has no meaning yet, and the first of any that is
// known to be nothing.
func (p *Pattern) Check(known Binding) error {
	for _, s := range p.steps {
		for _, name := range s.form.names {
			value, ok := known[name]
			switch {
			case !ok && strings.ToUpper(name) == name && strings.ToLower(name) != name:
				return fmt.Errorf("read %s:%d: $%s stands for nothing yet (a name that the events give a meaning is "+
					"written small)", p.Name, s.number, name)
			case ok && strings.TrimSpace(value) == "":
				return fmt.Errorf("read %s:%d: $%s stands for an empty text, which is in any event", p.Name,
					s.number, name)
			}
		}
	}
	return nil
}

// blanks are what oneBlank makes one of.
var blanks = lazyregexp.New(`\s+`)

// oneBlank has one blank wherever text has blanks of any kind and number.
func oneBlank(text string) string {
	if !strings.Contains(text, "  ") && !strings.ContainsAny(text, "\t\n\f\r") {
		return text
	}
	return blanks.ReplaceAllString(text, " ")
}

// variable is a name in a pattern's line.
var variable = lazyregexp.New(`\*|\$[A-Za-z_][A-Za-z0-9_]*`)

// A Binding says what the names in a pattern stand for.
type Binding map[string]string

// with is the binding with more names.
func (b Binding) with(more Binding) Binding {
	all := Binding{}
	maps.Copy(all, b)
	maps.Copy(all, more)
	return all
}

// fill puts what is known into a line, for a person to read.
func (b Binding) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(word string) string {
		if value, ok := b[strings.TrimPrefix(word, "$")]; ok && word != "*" {
			return value
		}
		return word
	})
}
