package order

import (
	"strings"
	"unicode/utf8"
)

// A form is a line of a pattern as it is held against events: literal text, and
// what varies between.
type form struct {
	pieces []piece
	names  []string // in it, in their order; one that comes twice is there twice
	last   int      // the last piece that varies; -1: none does
}

// A piece is a part of a form.
type piece struct {
	kind pieceKind
	text string // literal text, or the name
	// tied is of a * that stands between the first and the last place of a name: what may follow
	// depends on what the name stands for.
	tied bool
}

type pieceKind int

const (
	literalPiece pieceKind = iota
	anyPiece
	namePiece
)

// newForm takes a line apart. Every text is a form: what is neither * nor a name is literal.
func newForm(line string) form {
	f := form{last: -1}
	rest := 0
	add := func(p piece) {
		if p.kind != literalPiece {
			f.last = len(f.pieces)
		}
		if p.kind != literalPiece || p.text != "" {
			f.pieces = append(f.pieces, p)
		}
	}
	for _, at := range variable.FindAllStringIndex(line, -1) {
		add(piece{kind: literalPiece, text: line[rest:at[0]]})
		if word := line[at[0]:at[1]]; word == "*" {
			add(piece{kind: anyPiece})
		} else {
			add(piece{kind: namePiece, text: word[1:]})
			f.names = append(f.names, word[1:])
		}
		rest = at[1]
	}
	add(piece{kind: literalPiece, text: line[rest:]})
	f.tie()
	return f
}

// tie marks what stands between two places of a name.
func (f *form) tie() {
	first := map[string]int{}
	for i, p := range f.pieces {
		if p.kind != namePiece {
			continue
		}
		from, again := first[p.text]
		if !again {
			first[p.text] = i
			continue
		}
		for k := from; k < i; k++ {
			f.pieces[k].tied = true
		}
	}
}

// A matcher holds forms against texts, trying every way to lay one over the other. It counts its
// work, which is little where a form is as definite as a line of a story, and has no bound for one
// that is open enough.
type matcher struct {
	work   int // pieces that were tried
	budget int // of work; match gives up when it is spent

	form  form
	known Binding
	text  string
	more  Binding
	// failed is of each * the first place from which on it has failed already: from a
	// later one it fails too.
	failed []int
}

// match holds a form against a text; more are the names that it gives a meaning. What a known name
// stands for is literal text.
func (m *matcher) match(f form, known Binding, text string) (more Binding, ok bool) {
	m.work++
	if p := f.pieces; len(p) > 0 && p[0].kind == literalPiece && !strings.HasPrefix(text, p[0].text) {
		return nil, false
	}
	m.form, m.known, m.text, m.more = f, known, text, nil
	m.failed = m.failed[:0]
	for range f.pieces {
		m.failed = append(m.failed, len(text)+1)
	}
	return m.more, m.from(0, 0)
}

// spent says whether the search has to be given up.
func (m *matcher) spent() bool { return m.work > m.budget }

// from says whether the pieces from i on fit the text from at on, to its end.
func (m *matcher) from(i, at int) bool {
	m.work++
	if m.spent() {
		return false
	}
	if i == len(m.form.pieces) {
		return at == len(m.text)
	}
	switch p := m.form.pieces[i]; p.kind {
	case literalPiece:
		if i > m.form.last { // nothing varies any more
			return m.text[at:] == p.text
		}
		return strings.HasPrefix(m.text[at:], p.text) && m.from(i+1, at+len(p.text))
	case anyPiece:
		return m.anything(i, at, p.tied)
	default:
		value, ok := m.known[p.text]
		if !ok {
			value, ok = m.more[p.text]
		} else {
			value = oneBlank(value)
		}
		if ok {
			return strings.HasPrefix(m.text[at:], value) && m.from(i+1, at+len(value))
		}
		return m.word(i, at, p.text)
	}
}

// anything tries to go on after a *, which takes as little as it can.
func (m *matcher) anything(i, at int, tied bool) bool {
	if i == len(m.form.pieces)-1 {
		return true
	}
	if !tied && at >= m.failed[i] {
		return false
	}
	next := m.form.pieces[i+1]
	for k := at; k <= len(m.text) && !m.spent(); {
		if next.kind == literalPiece {
			hop := strings.Index(m.text[k:], next.text)
			if hop < 0 {
				break
			}
			k += hop
		}
		if m.from(i+1, k) {
			return true
		}
		_, size := utf8.DecodeRuneInString(m.text[k:])
		k += max(size, 1)
	}
	if !tied {
		m.failed[i] = min(m.failed[i], at)
	}
	return false
}

// word tries to go on after a name that has no meaning yet, which takes as little
// of a word as it can.
func (m *matcher) word(i, at int, name string) bool {
	if m.more == nil {
		m.more = Binding{}
	}
	for end := at; end < len(m.text) && m.text[end] != ' ' && !m.spent(); {
		_, size := utf8.DecodeRuneInString(m.text[end:])
		end += size
		if m.more[name] = m.text[at:end]; m.from(i+1, end) {
			return true
		}
	}
	delete(m.more, name)
	return false
}
