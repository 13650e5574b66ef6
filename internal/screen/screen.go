// Package screen is the one way by which text reaches a person: every byte that lab writes to
// standard output or standard error goes through a Writer. Names, values, comments and file names
// come from clusters, files and command lines; nothing in them moves a cursor, changes a colour, or
// turns the direction of writing. What would is made visible, as \x1b.
package screen

import (
	"crypto/rand"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// A Writer writes text to a stream. It is safe for use by several goroutines.
type Writer struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool // the cursor can be moved
	colours  bool
	ascii    bool   // signs are written in ASCII
	width    int    // columns, where they were set; 0: the terminal's
	partial  []byte // the beginning of a character whose rest has not come
}

// New returns the Writer of a stream. On a terminal there are colours unless NO_COLOR is set
// (https://no-color.org) or the terminal is dumb.
func New(w io.Writer) *Writer {
	if already, ok := w.(*Writer); ok {
		return already
	}
	file, ok := w.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
	forced := os.Getenv("CLICOLOR_FORCE")
	colours := terminal && os.Getenv("NO_COLOR") == "" || forced != "" && forced != "0"
	return &Writer{w: w, terminal: terminal, colours: colours, ascii: onlyASCII(os.Getenv)}
}

// onlyASCII says whether the locale has no characters of Unicode: it is C or POSIX by name, or has
// a codeset that is not UTF-8, as en_US.ISO-8859-1. Source: POSIX, 8.2 Internationalization
// Variables. One that is not set at all says nothing, and neither does a name without a codeset.
func onlyASCII(get func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := get(name); locale != "" {
			_, codeset, ok := strings.Cut(locale, ".")
			codeset, _, _ = strings.Cut(codeset, "@")
			utf8 := strings.EqualFold(strings.ReplaceAll(codeset, "-", ""), "utf8")
			return locale == "C" || locale == "POSIX" || ok && !utf8
		}
	}
	return false
}

// signs are lab's own signs in ASCII.
var signs = strings.NewReplacer("✓", "+", "✗", "x", "·", "-", "➔", "->", "→", "->", "…", "...", "•", "*", "«", "<",
	"»", ">", "–", "-", "█", "#", "↔", "<->", "µ", "u")

// SetColours says whether a Writer shows colours, also where it writes to no terminal.
func SetColours(w io.Writer, colours bool) {
	if writer, ok := w.(*Writer); ok {
		writer.mu.Lock()
		defer writer.mu.Unlock()
		writer.colours = colours
	}
}

// SetASCII says that a Writer writes signs in ASCII in any locale.
func SetASCII(w io.Writer) {
	if writer, ok := w.(*Writer); ok {
		writer.mu.Lock()
		defer writer.mu.Unlock()
		writer.ascii = true
	}
}

// ASCII reports whether w is a Writer that writes signs in ASCII.
func ASCII(w io.Writer) bool {
	writer, ok := w.(*Writer)
	return ok && writer.ascii
}

// SetWidth says how many columns Width tells of a Writer.
func SetWidth(w io.Writer, columns int) {
	if writer, ok := w.(*Writer); ok {
		writer.width = columns
	}
}

// Width is how many columns the terminal has that a Writer writes to; 0 where it is
// none, or does not say.
func Width(w io.Writer) int {
	writer, ok := w.(*Writer)
	if ok && writer.width > 0 {
		return writer.width
	}
	if !ok || !writer.terminal {
		return 0
	}
	file, ok := writer.w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// Coloured is w with colours. A Writer decides about them itself.
func Coloured(w io.Writer) io.Writer {
	if already, ok := w.(*Writer); ok {
		return already
	}
	return &Writer{w: w, colours: true}
}

// IsTerminal reports whether w is a Writer on a terminal on which the cursor can be moved.
func IsTerminal(w io.Writer) bool {
	writer, ok := w.(*Writer)
	return ok && writer.terminal
}

// Colours reports whether w is a Writer that shows colours.
func Colours(w io.Writer) bool {
	writer, ok := w.(*Writer)
	return ok && writer.colours
}

// Raw is the stream itself. It is for what has to pass as it is: another program's own output, a
// dump into a file, and the lines of a progress bar, which package progress makes of clean text.
func Raw(w io.Writer) io.Writer {
	if writer, ok := w.(*Writer); ok {
		return writer.w
	}
	return w
}

// mark begins and ends a control sequence of ours. It is drawn anew in each process, so that
// nothing that is read can hold it.
var mark = "\x1b{" + rand.Text() + "}"

// SGR is text in a colour or weight, by its parameter (ECMA-48). Only a Writer on a terminal
// makes a sequence of it.
func SGR(parameter, text string) string {
	return mark + parameter + "m" + mark + text + mark + "0m" + mark
}

// EraseLine goes to the beginning of the line and erases it, on a terminal.
func EraseLine() string { return mark + "\r" + mark + mark + "K" + mark }

// Write writes text. Of what is no character, only the beginning of one that may
// still come is kept back.
func (w *Writer) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(text) > 0 && len(w.partial) == 0 && !w.ascii && unfinished(text) == 0 && plain(text, false) {
		return w.w.Write(text) // which has no mark of ours, either: that begins with an escape
	}
	all := append(w.partial, text...)
	end := len(all) - unfinished(all)
	w.partial = append([]byte(nil), all[end:]...)
	return len(text), w.write(string(all[:end]))
}

// Flush writes what was kept back.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := string(w.partial)
	w.partial = nil
	return w.write(rest)
}

func (w *Writer) write(text string) error {
	var b strings.Builder
	for n, part := range strings.Split(text, mark) {
		switch {
		case n%2 == 0:
			visible(&b, part, false)
		case w.colours && strings.HasSuffix(part, "m"), w.terminal && part == "K":
			b.WriteString("\x1b[" + part)
		case w.terminal && part == "\r":
			b.WriteString(part)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	out := b.String()
	if w.ascii {
		out = signs.Replace(out)
	}
	_, err := io.WriteString(w.w, out)
	return err
}

// unfinished is how many bytes at the end of text begin a character that is longer.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if c := text[len(text)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(text[len(text)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// Visible returns text in which nothing is a command for a terminal but the ends of lines and tabs.
func Visible(text string) string {
	if plain(text, false) {
		return text
	}
	var b strings.Builder
	visible(&b, text, false)
	return b.String()
}

// Line returns text that is one line: Visible, with the ends of lines and tabs visible too.
func Line(text string) string {
	if plain(text, true) {
		return text
	}
	var b strings.Builder
	visible(&b, text, true)
	return b.String()
}

// plain reports whether a text is shown as it is. Most bytes of most texts are printable ASCII.
func plain[T string | []byte](text T, line bool) bool {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if (c < ' ' || c == 0x7f) && !shown(rune(c), line) {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
		if r == utf8.RuneError && size == 1 || !shown(r, line) {
			return false
		}
		i += size
	}
	return true
}

// visible writes text with what a terminal would obey as an escape sequence: \x1b below a space,
// \u009b for other characters, as JSON writes them, which has none of the former, and \xff for
// bytes that are no character.
func visible(b *strings.Builder, text string, line bool) {
	if plain(text, line) {
		b.WriteString(text)
		return
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + hex(rune(text[i]), 2))
		case shown(r, line):
			b.WriteString(text[i : i+size])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ':
			b.WriteString(`\x` + hex(r, 2))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b.WriteString(`\u` + hex(high, 4) + `\u` + hex(low, 4))
		default:
			b.WriteString(`\u` + hex(r, 4))
		}
		i += size
	}
}

func hex(r rune, digits int) string {
	text := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", max(0, digits-len(text))) + text
}

// shown reports whether a character only stands where it is: no control character (C0, C1, DEL),
// none that is not seen or that turns the direction of writing (Unicode's category Cf, UAX 9), and
// no separator of lines but \n.
func shown(r rune, line bool) bool {
	switch r {
	case '\n', '\t':
		return !line
	case '\u2028', '\u2029':
		return false
	}
	return r >= ' ' && !unicode.Is(unicode.Cc, r) && !unicode.Is(unicode.Cf, r)
}
