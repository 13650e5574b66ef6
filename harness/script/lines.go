package script

import (
	"slices"
	"strings"

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
		lines = append(lines, screen.Hang(ResultIndent, strings.TrimRight(line, "\n"), columns)...)
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
