package screen

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Hang puts one line behind an indent, and folds it where it is wider than a screen of some
// columns; 0: it is as long as it is. Of a line of a table, whose cells are two blanks apart, what
// stands in the left half of the screen stays there, and the rest goes on to the right of it.
// Nothing is cut.
func Hang(indent, line string, columns int) []string {
	if columns == 0 || runewidth.StringWidth(indent+line) <= columns {
		return []string{strings.TrimRight(indent+line, " ")}
	}
	rest := strings.TrimLeft(line, " ")
	begin := indent + line[:len(line)-len(rest)]
	more := begin + "  "
	for {
		_, cell, ok := strings.Cut(rest, "  ")
		cell = strings.TrimLeft(cell, " ")
		lead := begin + rest[:len(rest)-len(cell)]
		if !ok || cell == "" || runewidth.StringWidth(lead) > columns/2 {
			break
		}
		begin, rest, more = lead, cell, strings.Repeat(" ", runewidth.StringWidth(lead))
	}
	var lines []string
	for _, part := range Fold(rest, max(columns-runewidth.StringWidth(more), columns/3), NameBreaks) {
		lines = append(lines, begin+part)
		begin = more
	}
	return lines
}

// WriteHung writes lines of text, each folded as Hang folds it.
func WriteHung(w io.Writer, text string, columns int) error {
	for line := range strings.Lines(text) {
		for _, part := range Hang("", strings.TrimSuffix(line, "\n"), columns) {
			if _, err := fmt.Fprintln(w, part); err != nil {
				return err
			}
		}
	}
	return nil
}
