package match

import (
	"regexp"
	"strings"
)

// This file holds what Envoy does to bytes where Go's library takes a string for UTF-8. Headers are
// bytes: Envoy folds the case of ASCII alone, and its expressions take each byte for a character of
// Latin-1 (re2_use_latin1_mode).

// Lower folds the case of ASCII letters, and of no others.
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; c >= 'A' && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// IsASCII says whether every byte is a character of ASCII.
func IsASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Latin1 returns a string that has a character for each byte of s.
func Latin1(s string) string {
	if IsASCII(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := 0; i < len(s); i++ {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// fromLatin1 is the bytes of a string of Latin-1 characters.
func fromLatin1(s string) string {
	if IsASCII(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// goPattern is an expression as Go's library takes it for the same language: a character a byte,
// and \C, any byte, spelt out.
func goPattern(text string) string {
	text = Latin1(text)
	if !strings.Contains(text, `\C`) {
		return text
	}
	var b strings.Builder
	for i, quoted := 0, false; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch c := text[i]; {
		case c == 'E':
			quoted = false
			b.WriteString(`\E`)
		case c == 'C' && !quoted:
			b.WriteString(`(?s:.)`)
		default:
			quoted = quoted || c == 'Q'
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

func compiles(text string) bool {
	_, err := regexp.Compile(text)
	return err == nil
}
