package walk

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/screen"
)

// The weights and colours of a walk, as SGR parameters (ECMA-48). Nothing is told
// by a colour alone.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

// say prints a line of the language's words, wrapped.
func (w *Walker) say(key string, values ...any) { w.para("", "", w.Language.Say(key, values...)) }

// para prints text as one paragraph, wrapped at the screen's width, each line behind an indent.
func (w *Walker) para(indent, colour, text string) {
	for _, line := range folded(text, w.Width-runewidth.StringWidth(indent)) {
		if colour != "" {
			line = screen.SGR(colour, line)
		}
		fmt.Fprintf(w.Out, "%s%s\n", indent, line)
	}
}

// verbatim prints lines that must not be broken, such as commands and tables.
func (w *Walker) verbatim(indent, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(w.Out, "%s%s\n", indent, strings.TrimRight(line, "\n"))
	}
}

func (w *Walker) blank() { fmt.Fprintln(w.Out) }

// sentences prints the sentences of a phase.
func (w *Walker) sentences(lines []string) {
	for _, line := range script.Sentences(lines, w.Width) {
		fmt.Fprintln(w.Out, screen.SGR(bold, line))
	}
}

// folded are the lines of a paragraph of at most width columns; of no text it is an empty one.
func folded(text string, width int) []string {
	if all := screen.Wrap(text, width); len(all) > 0 {
		return all
	}
	return []string{""}
}
