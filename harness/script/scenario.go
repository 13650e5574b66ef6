// Package script is the language in which scenarios are written: testscript with the lab's verbs as
// commands. A scenario is lesson, test and demonstration at once. Its comments are what a person
// reads; `lab run` prints them live with the results of the commands beneath, `go test` folds them.
package script

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// A Scenario is one txtar archive: the script in its comment, files for the script beneath.
type Scenario struct {
	Name    string // file name without .txtar
	Files   fs.FS  // laid beside the archive's own files when the scenario runs; may be nil
	archive *txtar.Archive
	phases  []phase
	broken  error // why it cannot be run; nil: it can
}

// A phase is a paragraph of comment and the commands up to the next one.
type phase struct {
	comment []string // without # and blanks
	lines   []statement
}

// A statement is one line with a command.
type statement struct {
	number int // line in the file, from 1
	text   string
}

// namelessMarker is a line that begins a file without a name. Package txtar, and testscript
// with it, panics on it.
const namelessMarker = "-- --"

// Parse reads a scenario. Any text is one: what is wrong with it is found when it is run.
func Parse(name string, text []byte) *Scenario {
	s := &Scenario{Name: name}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.TrimSuffix(line, "\r") == namelessMarker {
			s.broken = fault.Usagef("%s.txtar:%d: a file without a name (write -- NAME --)", name, i+1)
			text = nil
			break
		}
	}
	s.archive = txtar.Parse(text)
	if member, why := outsideMember(s.archive); member != "" {
		s.broken = fault.Usagef("%s.txtar: file %q: %s (give a name below the scenario's folder)", name, member, why)
	}
	s.phases = []phase{{}}
	blank := false
	for i, line := range strings.Split(string(s.archive.Comment), "\n") {
		current := &s.phases[len(s.phases)-1]
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "#"):
			if len(current.lines) > 0 || blank && len(current.comment) > 0 {
				s.phases = append(s.phases, phase{})
				current = &s.phases[len(s.phases)-1]
			}
			current.comment = append(current.comment, strings.TrimSpace(strings.TrimLeft(line, "#")))
		case trimmed != "" && !strings.HasPrefix(trimmed, "#"):
			current.lines = append(current.lines, statement{number: i + 1, text: trimmed})
		}
		blank = strings.TrimSpace(line) == ""
	}
	return s
}

// Summary is the scenario's first sentence.
func (s *Scenario) Summary() string {
	text := strings.Join(s.phases[0].comment, " ")
	if i := strings.Index(text, ". "); i >= 0 {
		text = text[:i+1]
	}
	return text
}

// NeedsLab says whether any command of the scenario works on a lab.
func (s *Scenario) NeedsLab() bool {
	return slices.ContainsFunc(s.words(), func(words []string) bool {
		c := commandOf(words)
		return c != nil && (c.offline == nil || !c.offline(words[1:]))
	})
}

// conditions are the conditions before a command.
var conditions = lazyregexp.New(`^\s*(\[[^\]]*\]\s*)*`)

// lineCondition is the name of the condition by which a running script says which line it is at.
const lineCondition = "line:"

// instrumented is the archive with a condition more before each command: [line:12]. It is always
// true, and that it is asked for tells that line 12 is about to run, because testscript itself has
// no such hook. It is the last condition, so it is asked for only when the others hold.
func (s *Scenario) instrumented() []byte {
	lines := strings.Split(string(s.archive.Comment), "\n")
	for _, p := range s.phases {
		for _, st := range p.lines {
			line := lines[st.number-1]
			end := len(conditions.FindString(line))
			lines[st.number-1] = fmt.Sprintf("%s[%s%d] %s", line[:end], lineCondition, st.number, line[end:])
		}
	}
	return txtar.Format(&txtar.Archive{Comment: []byte(strings.Join(lines, "\n")), Files: s.archive.Files})
}

// updated is the scenario's text with the files of an instrumented archive that a run with
// -update has rewritten.
func (s *Scenario) updated(instrumented []byte) []byte {
	return txtar.Format(&txtar.Archive{Comment: s.archive.Comment, Files: txtar.Parse(instrumented).Files})
}
