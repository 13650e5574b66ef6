package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/flowproof/lab/internal/progress"
)

// isTerminal says whether w is a terminal on which the cursor can be moved.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}

// colours says whether w is to have colours: on a terminal, unless NO_COLOR is set (https://no-color.org).
func colours(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }

func newReporter(w io.Writer) progress.Reporter { return progress.New(w, isTerminal(w), false) }
