package main

import (
	"strings"

	"github.com/flowproof/lab/harness/explain"
	"github.com/flowproof/lab/harness/glossary"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/internal/exit"
)

// termText says what a word of a report means as `lab explain` does, for a learner who asks in the middle of a lesson.
func termText(word, language string, columns int) (string, error) {
	m, ok := meaning(word, explain.Options{Language: language})
	if !ok {
		hint := " (see `lab explain --list`)"
		if near := glossary.Near(word, 3); len(near) > 0 {
			hint = " (did you mean " + strings.Join(near, " or ") + "?)"
		}
		return "", exit.Usagef("explain %q: the glossary has no such word%s", word, hint)
	}
	var text strings.Builder
	err := report.ExplainedText(&text, columns, language, m)
	return text.String(), err
}
