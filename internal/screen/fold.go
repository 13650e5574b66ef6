package screen

import (
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// NameBreaks are what names of the mesh have between their parts: a long one is broken behind them.
const NameBreaks = "/|,._-:"

// Fold breaks text into lines of at most n columns: between words, between the characters of a
// script that has no blanks, or in a long word behind the last of the given characters. Nothing is
// cut.
func Fold(text string, n int, behind string) []string { return fold(text, n, behind, true) }

// Wrap breaks text into lines of at most n columns as Fold does, but in no word: one that is longer
// than a line has a line of its own, so that a pointer or a name can be copied from the screen.
func Wrap(text string, n int) []string { return fold(text, n, "", false) }

func fold(text string, n int, behind string, inWords bool) []string {
	var lines []string
	line := ""
	for _, p := range pieces(text) {
		word, glue := p.text, ""
		if p.apart && line != "" {
			glue = " "
		}
		for word != "" {
			joined := line + glue + word
			if line == "" && !inWords || runewidth.StringWidth(joined) <= n {
				line, word = joined, ""
				continue
			}
			if line != "" {
				lines, line, glue = append(lines, line), "", ""
				continue
			}
			at := breakAt(word, n, behind)
			lines, word = append(lines, word[:at]), word[at:]
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// A piece is what stands between two places where a line may be broken.
type piece struct {
	text  string
	apart bool // there is a blank before it
}

// Marks that do not begin a line, and such that do not end one (Unicode Standard Annex 14, classes
// CL, EX, IN, NS and OP).
const (
	noBegin = "，。、；：！？）》」』】〉”’…％·"
	noEnd   = "（《「『【〈“‘"
)

// pieces splits text at its blanks, and before and behind each wide character.
func pieces(text string) []piece {
	var all []piece
	for _, word := range strings.Fields(text) {
		begin, last := 0, rune(0)
		apart := true
		for i, r := range word {
			wide := runewidth.RuneWidth(r) == 2 || runewidth.RuneWidth(last) == 2
			if i > begin && wide && !strings.ContainsRune(noBegin, r) && !strings.ContainsRune(noEnd, last) {
				all = append(all, piece{word[begin:i], apart})
				begin, apart = i, false
			}
			last = r
		}
		all = append(all, piece{word[begin:], apart})
	}
	return all
}

// Joined puts lines of text behind each other: with a blank, but not between two characters of a
// script that has none.
func Joined(lines []string) string {
	text := ""
	for _, line := range lines {
		before, _ := utf8.DecodeLastRuneInString(text)
		after, _ := utf8.DecodeRuneInString(line)
		if text != "" && line != "" && (runewidth.RuneWidth(before) != 2 || runewidth.RuneWidth(after) != 2) {
			text += " "
		}
		text += line
	}
	return text
}

// Longest is the width of the longest piece of a text, in columns: no line can be narrower without
// a word being broken.
func Longest(text string) int {
	n := 0
	for _, p := range pieces(text) {
		n = max(n, runewidth.StringWidth(p.text))
	}
	return n
}

// breakAt returns where to break a word that is wider than n columns: at least one rune is taken.
func breakAt(word string, n int, behind string) int {
	width, limit := 0, 0
	for i, r := range word {
		if width += runewidth.RuneWidth(r); width > n && i > 0 {
			break
		}
		limit = i + len(string(r))
	}
	if i := strings.LastIndexAny(word[:limit], behind); i > 0 {
		return i + 1
	}
	return limit
}
