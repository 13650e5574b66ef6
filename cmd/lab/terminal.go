package main

import (
	"io"

	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/screen"
)

// newReporter says progress on w. On a terminal its running lines move the cursor, so they go to
// the stream itself; what stands in them has no control character, which package progress sees to.
func newReporter(w io.Writer) progress.Reporter {
	if screen.IsTerminal(w) && !screen.ASCII(w) { // what turns is no ASCII
		return progress.New(screen.Raw(w), true, false)
	}
	return progress.New(w, false, false)
}
