package screen

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Fold breaks text into lines of at most n columns: between words, or in a long word behind the last
// of the given characters. Nothing is cut.
func Fold(text string, n int, behind string) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for word != "" {
			joined := strings.TrimPrefix(line+" "+word, " ")
			if runewidth.StringWidth(joined) <= n {
				line, word = joined, ""
				continue
			}
			if line != "" {
				lines, line = append(lines, line), ""
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
