package script

import (
	"slices"
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
	for _, part := range screen.Fold(rest, max(columns-runewidth.StringWidth(more), columns/3), screen.NameBreaks) {
		lines = append(lines, begin+part)
		begin = more
	}
	return lines
}

// Sentences are the lines of a comment as a screen of some columns shows them. With no columns the
// lines are as they were written.
func Sentences(lines []string, columns int) []string {
	if columns == 0 {
		return lines
	}
	var all []string
	for _, paragraph := range Paragraphs(lines) {
		all = append(all, screen.Wrap(paragraph, columns)...)
	}
	return all
}

// Paragraphs joins the lines of a comment: an empty line, or one that begins an item of a
// list, ends a paragraph.
func Paragraphs(lines []string) []string {
	var all, open []string
	for _, line := range append(slices.Clone(lines), "") {
		if (line == "" || strings.HasPrefix(line, "- ")) && len(open) > 0 {
			all, open = append(all, screen.Joined(open)), nil
		}
		if line != "" {
			open = append(open, line)
		}
	}
	return all
}
