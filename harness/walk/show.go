package walk

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/internal/screen"
)

// The weights and colours of a walk, as SGR parameters (ECMA-48). Nothing is told by a colour alone.
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
	for _, line := range wrap(text, w.Width-runewidth.StringWidth(indent)) {
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

// sentences prints the sentences of a phase: an empty line or one that begins a list ends a paragraph.
func (w *Walker) sentences(lines []string) {
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			w.para("", bold, joined(paragraph))
			paragraph = nil
		}
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
}

// joined joins the lines of a paragraph: with a blank, but not between two characters that are written without any.
func joined(lines []string) string {
	text := ""
	for _, line := range lines {
		if text != "" && !(endsWide(text) && beginsWide(line)) {
			text += " "
		}
		text += line
	}
	return text
}

func endsWide(text string) bool   { r := []rune(text); return runewidth.RuneWidth(r[len(r)-1]) == 2 }
func beginsWide(text string) bool { return runewidth.RuneWidth([]rune(text)[0]) == 2 }

// wrap breaks text into lines of at most width columns: at blanks, and between wide characters,
// which are written without any. A word that is longer than a line has one of its own.
func wrap(text string, width int) []string {
	var lines []string
	var line strings.Builder
	columns := 0
	flush := func() {
		lines = append(lines, strings.TrimRight(line.String(), " "))
		line.Reset()
		columns = 0
	}
	for _, piece := range pieces(text) {
		n := runewidth.StringWidth(strings.TrimRight(piece, " "))
		if columns > 0 && columns+n > width {
			flush()
		}
		line.WriteString(piece)
		columns += runewidth.StringWidth(piece)
	}
	if line.Len() > 0 || len(lines) == 0 {
		flush()
	}
	return lines
}

// noBegin are marks that must not begin a line, and stay with what is before them.
const noBegin = "，。、；：！？）》」』”’"

// pieces splits text into what must not be broken, each with the blanks behind it.
func pieces(text string) []string {
	var all []string
	var piece strings.Builder
	flush := func() {
		if piece.Len() > 0 {
			all = append(all, piece.String())
			piece.Reset()
		}
	}
	for _, word := range strings.Fields(text) {
		for _, r := range word {
			wide := runewidth.RuneWidth(r) == 2
			if wide && !strings.ContainsRune(noBegin, r) {
				flush()
			}
			piece.WriteRune(r)
			if wide && !strings.ContainsRune(noBegin, r) {
				continue
			}
		}
		piece.WriteByte(' ')
		flush()
	}
	return all
}
