package redact

import (
	"strings"
	"unicode/utf8"
)

// Printable returns text without anything that could command a terminal: control characters except
// tab and newline, and bytes that are not UTF-8, become visible.
func Printable(text string) string {
	clean := func(r rune) bool { return r == '\t' || r == '\n' || (r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f)) }
	if utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !clean(r) }) < 0 {
		return text
	}
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if (r == utf8.RuneError && size == 1) || !clean(r) {
			for _, c := range []byte(text[i : i+size]) {
				b.WriteString(`\x` + string(digits[c>>4]) + string(digits[c&15]))
			}
		} else {
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	return b.String()
}
