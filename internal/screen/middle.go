package screen

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// domain is the end of the names of Services that tells nothing apart.
const domain = ".svc.cluster.local"

// Middle shortens text to n columns without its ends, which tell names apart: first by what names
// of Services have in common, .svc.cluster.local, and then in its middle. A … stands for what is
// cut.
func Middle(text string, n int) string {
	if runewidth.StringWidth(text) <= n {
		return text
	}
	if text = Shortest(text); runewidth.StringWidth(text) <= n || n < 2 {
		return text
	}
	runes := []rune(text)
	begin := runewidth.Truncate(text, n/2, "")
	end, width := len(runes), 0
	for end > 0 && width+runewidth.RuneWidth(runes[end-1]) <= n-1-runewidth.StringWidth(begin) {
		end--
		width += runewidth.RuneWidth(runes[end])
	}
	return begin + "…" + string(runes[end:])
}

// Shortest is text as short as it can be without a part that tells names apart.
func Shortest(text string) string { return strings.ReplaceAll(text, domain, "…") }

// End shortens text to n columns at its end, between two words where it can. A … stands for what is
// cut.
func End(text string, n int) string {
	if runewidth.StringWidth(text) <= n {
		return text
	}
	if n < 2 {
		return ""
	}
	cut := runewidth.Truncate(text, n-1, "")
	if i := strings.LastIndexByte(cut, ' '); i > 0 && !strings.ContainsRune(" ,;:", rune(text[len(cut)])) {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " ,;:(") + "…"
}
