package main

import (
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
	"github.com/flowproof/lab/internal/screen"
)

// shownLines is a value as it is shown, each string of which is one line: a name with the end of a
// line in it would make a line that is not there.
func shownLines[T any](a *app, value T) T {
	return redact.Strings(shown(a, value), screen.Line)
}

// batchLines returns shownLines for the very many decisions of a batch, most strings of which are
// those of one configuration.
func batchLines(a *app) func(flow.Decision) flow.Decision {
	if a.showSecrets {
		return func(d flow.Decision) flow.Decision { return redact.Strings(d, screen.Line) }
	}
	memo := redact.NewMemo(screen.Line)
	return func(d flow.Decision) flow.Decision { return redact.Remembered(memo, d) }
}
