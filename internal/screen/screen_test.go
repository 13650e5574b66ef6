package screen

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	for _, tc := range []struct{ name, in, want, line string }{
		{"plain text", "plain\ttext ✓\n", "plain\ttext ✓\n", `plain\ttext ✓\n`},
		{"a colour", "\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`, `\x1b[31mred\x1b[0m`},
		{"a title", "\x1b]0;owned\x07", `\x1b]0;owned\x07`, `\x1b]0;owned\x07`},
		{"NUL and a backspace", "a\x00b\bc", `a\x00b\x08c`, `a\x00b\x08c`},
		{"back to the line's beginning", "good\rbad", `good\x0dbad`, `good\x0dbad`},
		{"C1", "\u009b31m", `\u009b31m`, `\u009b31m`},
		{"C1 as a byte", "\x9b31m", `\x9b31m`, `\x9b31m`},
		{"DEL", "a\x7f", `a\u007f`, `a\u007f`},
		{"a turned direction", "a\u202etxt.exe\u2066", `a\u202etxt.exe\u2066`, `a\u202etxt.exe\u2066`},
		{"what is not seen", "a\u200bb\ufeffc\u00ad", `a\u200bb\ufeffc\u00ad`, `a\u200bb\ufeffc\u00ad`},
		{"tags", "a\U000e0041", `a\udb40\udc41`, `a\udb40\udc41`},
		{"another end of a line", "a\u2028b", `a\u2028b`, `a\u2028b`},
		{"no characters", "bad \xff byte", `bad \xff byte`, `bad \xff byte`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Visible(tc.in); got != tc.want {
				t.Errorf("Visible is %q, want %q", got, tc.want)
			}
			if got := Line(tc.in); got != tc.line {
				t.Errorf("Line is %q, want %q", got, tc.line)
			}
			var out bytes.Buffer
			w := New(&out)
			for i := range len(tc.in) { // byte by byte, as no program writes
				if _, err := w.Write([]byte{tc.in[i]}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil || out.String() != tc.want {
				t.Errorf("written as %q (%v), want %q", out.String(), err, tc.want)
			}
		})
	}
}

// TestOwnSequences holds colours to terminals, and what looks like ours to being text.
func TestOwnSequences(t *testing.T) {
	text := SGR("31", "red") + EraseLine() + "\x1b[32mgreen\x1b{guess}2J"
	for _, tc := range []struct {
		name              string
		terminal, colours bool
		want              string
	}{
		{"a terminal", true, true, "\x1b[31mred\x1b[0m\r\x1b[K" + `\x1b[32mgreen\x1b{guess}2J`},
		{"a terminal without colours", true, false, "red\r\x1b[K" + `\x1b[32mgreen\x1b{guess}2J`},
		{"a pipe", false, false, `red\x1b[32mgreen\x1b{guess}2J`},
	} {
		var out bytes.Buffer
		w := &Writer{w: &out, terminal: tc.terminal, colours: tc.colours}
		if _, err := w.Write([]byte(text)); err != nil || out.String() != tc.want {
			t.Errorf("%s shows %q (%v), want %q", tc.name, out.String(), err, tc.want)
		}
	}
}

// FuzzWriter writes anything in two parts: nothing that commands a terminal comes out, and
// JSON stays what it was.
func FuzzWriter(f *testing.F) {
	f.Add("a\x1b[2J\u202e\xff✓", 3)
	f.Fuzz(func(t *testing.T, text string, at int) {
		at = min(max(at, 0), len(text))
		var out bytes.Buffer
		w := New(&out)
		_, _ = w.Write([]byte(text[:at]))
		_, _ = w.Write([]byte(text[at:]))
		_ = w.Flush()
		for _, r := range out.String() {
			if r != '\n' && r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("%q comes out as %q", text, out.String())
			}
		}
		if out.String() != Visible(text) {
			t.Errorf("%q comes out as %q, and as a whole as %q", text, out.String(), Visible(text))
		}
		if strings.ContainsRune(Line(text), '\n') {
			t.Errorf("%q is more than one line", Line(text))
		}
		document, err := json.Marshal(text)
		var back string
		if shown := Visible(string(document)); err != nil || json.Unmarshal([]byte(shown), &back) != nil ||
			back != strings.ToValidUTF8(text, "\ufffd") && utf8.ValidString(text) {
			t.Errorf("the JSON of %q is none any more: %s", text, shown)
		}
	})
}
