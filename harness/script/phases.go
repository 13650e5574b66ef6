package script

import (
	"strings"

	"github.com/flowproof/lab/harness/lesson"
)

// A Phase is a paragraph of a scenario and the commands beneath it, as they are
// read and not yet run.
type Phase struct {
	Comment []string `json:"comment"`
	Lines   []Line   `json:"lines"`
}

// A Line is one command of a scenario.
type Line struct {
	Number int      `json:"number"` // in the file, from 1
	Text   string   `json:"text"`   // without its conditions
	Words  []string `json:"words"`  // the command and its arguments, without ! and ?
}

// Phases returns the paragraphs of a scenario that have a comment or a command, in their order.
func (s *Scenario) Phases() []Phase {
	var phases []Phase
	for _, p := range s.phases {
		out := Phase{Comment: p.comment}
		for _, st := range p.lines {
			text := conditions.ReplaceAllString(st.text, "")
			out.Lines = append(out.Lines,
				Line{Number: st.number, Text: text, Words: splitWords(strings.TrimLeft(text, "!? "))})
		}
		if len(out.Comment) > 0 || len(out.Lines) > 0 {
			phases = append(phases, out)
		}
	}
	return phases
}

// Question returns what a predict line is called by in a file of sentences; ok is false
// for any other line.
func (l Line) Question() (key string, ok bool) {
	if len(l.Words) == 0 || l.Words[0] != predictCommand.Name {
		return "", false
	}
	if _, err := parsePredict(l.Words[1:]); err != nil {
		return "", false
	}
	return l.Asks().Key(), true
}

// Asks is the question of a predict line as its words tell it, without its choices and its answer.
func (l Line) Asks() lesson.Question {
	call, err := parsePredict(l.Words[1:])
	if err != nil {
		return lesson.Question{}
	}
	return lesson.Question{Subject: call.subject, Lost: call.lost, After: call.after, File: call.file, Text: call.text,
		Hint: call.hint}
}

// splitWords splits a line as testscript does: at blanks, a word in single quotes is one, ” in it
// is a quote, and # begins a comment. Variables stay as they are written.
func splitWords(line string) []string {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quoted && c == '\'' && i+1 < len(line) && line[i+1] == '\'':
			word.WriteByte(c)
			i++
		case c == '\'':
			quoted, begun = !quoted, true
		case !quoted && (c == ' ' || c == '\t' || c == '\r'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		case !quoted && c == '#':
			i = len(line)
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}
