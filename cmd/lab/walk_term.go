package main

import (
	"strings"

	"github.com/flowproof/lab/harness/explain"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/report"
)

// termText says what a word of a report means as `lab explain` does, for a learner who asks in the
// middle of a lesson.
func termText(word, language string, columns int) (string, error) {
	m, ok := meaning(word, explain.Options{Language: language})
	if !ok {
		return "", fault.Usagef("explain %q: the glossary has no such word (%s)", word,
			nearWords(word, "see `lab explain --list`"))
	}
	var text strings.Builder
	err := report.ExplainedText(&text, columns, language, m)
	return text.String(), err
}
