package progress

import (
	"io"
	"os"
)

// New returns the reporter for w: nothing when quiet, bars and running clocks on a terminal
// that can move its cursor, plain lines elsewhere. Colours follow NO_COLOR
// (https://no-color.org) and TERM.
func New(w io.Writer, isTerminal bool, quiet bool) Reporter {
	switch term := os.Getenv("TERM"); {
	case quiet:
		return Quiet
	case isTerminal && term != "dumb" && term != "":
		return newTerminal(w, os.Getenv("NO_COLOR") == "")
	default:
		return newPlain(w)
	}
}
