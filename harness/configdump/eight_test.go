package configdump

import (
	"bytes"
	"strings"
	"testing"
)

// TestEightAtOnce holds what looks at eight bytes in one step against what looks at one.
func TestEightAtOnce(t *testing.T) {
	for _, filler := range []string{"a", "!", "#", "\x00", "\x01", "\xa2", "\xff", "ü", " ", "\\"} {
		for length := range 40 {
			before := strings.Repeat(filler, length)
			for _, text := range []string{before, before + `"`, before + `"x`, before + `""""""""`, before + "!\"#"} {
				if got, want := nextQuote([]byte(text)), strings.IndexByte(text, '"'); got != want {
					t.Errorf("quote of %q at %d, want %d", text, got, want)
				}
			}
		}
	}
	for spaces := range 40 {
		for _, after := range []string{"", "x", "\n", "\x00", "!!!!!!!!", "{ \"a\": 1 }", "\x1f        "} {
			text := []byte(strings.Repeat(" ", spaces) + after)
			got, all := pastSpaces(text, 0), spaces
			same := bytes.Equal(bytes.TrimLeft(text[got:], " "), []byte(strings.TrimLeft(after, " ")))
			if got > all || all-got > 7 || !same {
				t.Errorf("%q: past spaces at %d, of %d", text, got, all)
			}
			if len(after) >= 8 && got != all && after[0] != ' ' {
				t.Errorf("%q: stopped at %d before the last space %d", text, got, all)
			}
		}
	}
}
