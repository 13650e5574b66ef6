package main

import (
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
	"github.com/flowproof/lab/internal/screen"
)

// shownLines is a value as it is shown, each string of which is one line: a name with the end of a line in it would make a line
// that is not there.
func shownLines[T any](a *app, value T) T {
	return redact.Strings(shown(a, value), screen.Line)
}

// batchLines is shownLines for one of very many: most decisions hold nothing that has to be hidden or made visible, which is
// told without a copy.
func batchLines(a *app, d flow.Decision) flow.Decision {
	if dull(d.AppendJSON(nil)) {
		return d
	}
	return shownLines(a, d)
}

// dull reports whether nothing in a line of JSON could be a secret or a command for a terminal.
func dull(line []byte) bool {
	return !redact.Suspicious(line) && screen.Visible(string(line)) == string(line)
}
