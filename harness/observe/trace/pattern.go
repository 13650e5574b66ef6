package trace

import (
	"fmt"
	"regexp"
	"strings"
)

// A Pattern is an order of events: lines of a story in which what varies is left open. It holds where its lines are found in
// this order, whatever happens in between.
//
//	# A comment.
//	envoy $worker fd $down: accept $peer → *:15006
//	no envoy $worker fd $down: write *
//	envoy $worker: filter.chain = "0.0.0.0_8080"
//
// * stands for any text. $name stands for one word, or a part of one, and for the same one wherever the name comes again; $NAME in
// capitals for what is known already. A line that begins with "no" holds where no such event comes between the lines around it.
type Pattern struct {
	Name  string
	steps []step
}

// A step is one line of a pattern.
type step struct {
	number int    // line of the file, from 1
	text   string // without "no"
	absent bool
}

// ParsePattern reads a pattern. name is the file's, for errors.
func ParsePattern(name, text string) (*Pattern, error) {
	p := &Pattern{Name: name}
	events := 0
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.Join(strings.Fields(line), " ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s := step{number: number, text: line}
		if s.text, s.absent = strings.CutPrefix(line, "no "); !s.absent {
			events++
		}
		if len(s.text) > maxLineBytes {
			return nil, fmt.Errorf("read %s:%d: the line is too long", name, number)
		}
		p.steps = append(p.steps, s)
	}
	if events == 0 {
		return nil, fmt.Errorf("read %s: there is no event in it (write one a line, as `lab trace --events` shows it, with * and $name for what varies)", name)
	}
	return p, nil
}

// Check reports the first name in capitals that has no meaning yet.
func (p *Pattern) Check(known Binding) error {
	for _, s := range p.steps {
		for _, word := range variable.FindAllString(s.text, -1) {
			name := strings.TrimPrefix(word, "$")
			if _, ok := known[name]; !ok && word != "*" && strings.ToUpper(name) == name && strings.ToLower(name) != name {
				return fmt.Errorf("read %s:%d: %s stands for nothing yet (a name that the events give a meaning is written small)", p.Name, s.number, word)
			}
		}
	}
	return nil
}

// variable is a name in a pattern's line.
var variable = regexp.MustCompile(`\*|\$[A-Za-z_][A-Za-z0-9_]*`)

// A Binding says what the names in a pattern stand for.
type Binding map[string]string

// with is the binding with more names.
func (b Binding) with(more Binding) Binding {
	all := Binding{}
	for _, from := range []Binding{b, more} {
		for name, value := range from {
			all[name] = value
		}
	}
	return all
}

// fill puts what is known into a line.
func (b Binding) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(word string) string {
		if value, ok := b[strings.TrimPrefix(word, "$")]; ok && word != "*" {
			return value
		}
		return word
	})
}

// An expression is a line of a pattern with its names, in the order of its groups.
type expression struct {
	*regexp.Regexp
	names []string
}

// A matcher holds the expressions of lines, so that each is made once.
type matcher map[string]expression

// match sets a line of a pattern against an event's; more are the names that it gives a meaning.
func (m matcher) match(line string, known Binding, event string) (more Binding, ok bool) {
	line = known.fill(line)
	e, made := m[line]
	if !made {
		e = compile(line)
		m[line] = e
	}
	found := e.FindStringSubmatch(event)
	if found == nil {
		return nil, false
	}
	more = Binding{}
	for i, name := range e.names {
		if value, twice := more[name]; twice && value != found[i+1] {
			return nil, false
		}
		more[name] = found[i+1]
	}
	return more, true
}

// compile makes an expression of a line. What it holds beside * and names is literal, so it always can be made.
func compile(line string) expression {
	line = strings.ToValidUTF8(line, "\uFFFD")
	var b strings.Builder
	b.WriteString("(?s)^")
	e := expression{}
	rest := 0
	for _, at := range variable.FindAllStringIndex(line, -1) {
		b.WriteString(regexp.QuoteMeta(line[rest:at[0]]))
		if word := line[at[0]:at[1]]; word == "*" {
			b.WriteString(".*?")
		} else {
			b.WriteString(`(\S+?)`)
			e.names = append(e.names, word[1:])
		}
		rest = at[1]
	}
	b.WriteString(regexp.QuoteMeta(line[rest:]) + "$")
	e.Regexp = regexp.MustCompile(b.String())
	return e
}
