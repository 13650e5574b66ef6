package script

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/internal/screen"
)

// ResultIndent stands before the lines that a command has printed, beneath the command.
const ResultIndent = "      "

// Lines are the lines of a step's result for a screen of some columns, indented. A line that is too
// long goes on further in, and nothing of it is lost; with no columns every line is as it is.
func Lines(step StepResult, columns int) []string {
	text := step.Output
	if columns > 0 && step.Folded != "" {
		text = step.Folded
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, hang(ResultIndent, strings.TrimRight(line, "\n"), columns)...)
	}
	return lines
}

// nameBreaks are what names of the mesh have between their parts: a long one is broken behind them.
const nameBreaks = "/|,._-:"

// hang puts one line behind an indent, and folds it where it is too long: what follows the first
// column of a table stays to the right of it.
func hang(indent, line string, columns int) []string {
	if columns == 0 || runewidth.StringWidth(indent+line) <= columns {
		return []string{strings.TrimRight(indent+line, " ")}
	}
	rest := strings.TrimLeft(line, " ")
	begin := indent + line[:len(line)-len(rest)]
	more := begin + "  "
	if _, cell, ok := strings.Cut(rest, "  "); ok {
		cell = strings.TrimLeft(cell, " ")
		lead := begin + rest[:len(rest)-len(cell)]
		if runewidth.StringWidth(lead) <= columns/2 {
			begin, rest, more = lead, cell, strings.Repeat(" ", runewidth.StringWidth(lead))
		}
	}
	var lines []string
	for _, part := range screen.Fold(rest, max(columns-runewidth.StringWidth(more), columns/3), nameBreaks) {
		lines = append(lines, begin+part)
		begin = more
	}
	return lines
}

// Paragraphs are the lines of a comment as a screen of some columns shows them: an empty line, or one
// that begins an item of a list, ends a paragraph. With no columns the lines are as they were written.
func Paragraphs(lines []string, columns int) []string {
	if columns == 0 {
		return lines
	}
	var all, paragraph []string
	flush := func() {
		all = append(all, screen.Wrap(screen.Joined(paragraph), columns)...)
		paragraph = nil
	}
	for _, line := range lines {
		if line == "" || strings.HasPrefix(line, "- ") {
			flush()
		}
		if line != "" {
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return all
}
