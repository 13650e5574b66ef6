package redact

import (
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxRemembered bounds how many strings a memory has.
const maxRemembered = 1 << 15

// A Memo takes secrets out of very many values whose strings come again and again, such as the
// decisions of a batch: a string that is shown as it is, where it stands, is judged once. Only such
// strings are kept. It is safe for use by several goroutines.
type Memo struct {
	change   func(string) string
	memories sync.Pool // each has one user at a time, so that none waits for another
}

// NewMemo returns a Memo that makes what change makes of each string without its secrets.
func NewMemo(change func(string) string) *Memo { return &Memo{change: change} }

// Remembered is Strings(Value(value), change) with the change of the Memo, and the value itself
// where nothing in it is changed.
func Remembered[T any](m *Memo, value T) T {
	known, ok := m.memories.Get().(*memory)
	if !ok {
		known = newMemory(m.change)
	}
	defer m.memories.Put(known)
	from := reflect.ValueOf(&value).Elem()
	if known.same(from, known.at(standing{})) {
		return value
	}
	to := reflect.New(from.Type()).Elem()
	copyOf(to, from, place{change: m.change, memo: known})
	return to.Interface().(T)
}

// A memory has the strings that are shown as they are, and for names whether they are a secret's.
type memory struct {
	change func(string) string
	spots  map[standing]*spot
	known  int // strings of all spots
	secret map[string]bool
	form   []byte // of the last string
}

func newMemory(change func(string) string) *memory {
	return &memory{change: change, spots: map[standing]*spot{}, secret: map[string]bool{}}
}

// A standing is where a string stands.
type standing struct {
	hide       bool
	key, above string
}

// A spot has the strings that are shown as they are where it is, with their numbers as formOf has
// them.
type spot struct {
	standing
	shownAs map[string]struct{}
	below   map[*shape][]*spot // of the fields of a struct that stands here
}

func (m *memory) at(where standing) *spot {
	s := m.spots[where]
	if s == nil {
		s = &spot{standing: where, shownAs: map[string]struct{}{}, below: map[*shape][]*spot{}}
		m.spots[where] = s
	}
	return s
}

// fields are the spots of the fields of a struct that stands at a spot.
func (m *memory) fields(s *spot, of *shape) []*spot {
	below, ok := s.below[of]
	if !ok {
		for _, f := range of.fields {
			where := standing{s.hide, f.key, s.key}
			if f.embedded {
				where = s.standing
			}
			below = append(below, m.at(where))
		}
		s.below[of] = below
	}
	return below
}

// same says whether a value is shown as it is. A value with a map is copied in any case, and not
// looked into here.
func (m *memory) same(v reflect.Value, at *spot) bool {
	switch v.Kind() {
	case reflect.String:
		return m.asItIs(at, v.String())
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || m.same(v.Elem(), at)
	case reflect.Struct:
		s := shapeOf(v.Type())
		for n, below := range m.fields(at, s) {
			f := s.fields[n]
			if f.value && s.name != nil && m.secretName(v.FieldByIndex(s.name).String()) {
				below = m.at(standing{true, below.key, below.above})
			}
			if !m.same(v.Field(f.index), below) {
				return false
			}
		}
	case reflect.Map:
		return v.IsNil()
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			return true
		}
		for n := range v.Len() {
			if !m.same(v.Index(n), at) {
				return false
			}
		}
	}
	return true
}

// asItIs says whether a text is shown as it is.
func (m *memory) asItIs(at *spot, text string) bool {
	m.form = formOf(m.form[:0], text)
	if _, ok := at.shownAs[string(m.form)]; ok {
		return true
	}
	return m.judge(at, text) == text
}

// judge is what is shown of a text, of which m.form is the form.
func (m *memory) judge(at *spot, text string) string {
	kept := m.change(place{hide: at.hide, key: at.key, above: at.above, change: m.change}.text(text))
	if kept == text {
		if m.known >= maxRemembered {
			m.known = 0
			for _, s := range m.spots {
				clear(s.shownAs)
			}
		}
		m.known++
		at.shownAs[string(m.form)] = struct{}{}
	}
	return kept
}

func (m *memory) shown(p place, text string) string {
	at := m.at(standing{p.hide, p.key, p.above})
	m.form = formOf(m.form[:0], text)
	if _, ok := at.shownAs[string(m.form)]; ok {
		return text
	}
	return m.judge(at, text)
}

// maxNumber is how many digits a number has at most whose digits say nothing.
const maxNumber = 8

// formOf appends text with zeros in the place of the digits of each short number that is a word by
// itself: names of one kind, such as those of many Services, have one form. Whether text is shown
// as it is depends on where it has digits and not on which, but for the meaning of an encoding, a
// hash, a document or a version, which keep theirs.
func formOf(form []byte, text string) []byte {
	begins := len(form)
	form = append(form, text...)
	bracket := false
	for n := 0; n < len(text); n++ {
		switch c := text[n]; meaning[c] {
		case keeps:
			return append(form[:begins], text...)
		case opens:
			bracket = true
		case slash:
			if strings.HasSuffix(text[:n], "HTTP") || strings.HasSuffix(text[:n], "1/") {
				return append(form[:begins], text...)
			}
		case digit:
			begin := n
			for n++; n < len(text) && meaning[text[n]] == digit; n++ {
			}
			if n == len(text) || meaning[text[n]] != letter {
				if n-begin <= maxNumber {
					for at := begins + begin; at < begins+n; at++ {
						form[at] = '0'
					}
				}
				n--
				continue
			}
			fallthrough
		case letter:
			for ; n < len(text) && (meaning[text[n]] == letter || meaning[text[n]] == digit); n++ {
			}
			n--
		}
	}
	if bracket && strings.HasPrefix(strings.TrimSpace(text), "[") {
		return append(form[:begins], text...)
	}
	return form
}

// What a byte means to the form of a text.
const (
	apart  = iota
	letter // makes a word of the digits beside it
	digit
	slash
	opens // a document, where it is the first
	keeps // the text as it is
)

// keptBytes are those that keep the text as it is.
const keptBytes = "%\\$&#<{\r\n"

var meaning = func() (all [256]uint8) {
	for c := range all {
		switch b := byte(c); {
		case b >= '0' && b <= '9':
			all[c] = digit
		case letterOrDigit(b) || b == '_' || b >= utf8.RuneSelf:
			all[c] = letter
		case b == '/':
			all[c] = slash
		case b == '[':
			all[c] = opens
		case strings.IndexByte(keptBytes, b) >= 0:
			all[c] = keeps
		}
	}
	return all
}()

// secretName is SecretName.
func (p place) secretName(name string) bool {
	if p.memo == nil {
		return SecretName(name)
	}
	return p.memo.secretName(name)
}

func (m *memory) secretName(name string) bool {
	secret, ok := m.secret[name]
	if !ok {
		if len(m.secret) >= maxRemembered {
			clear(m.secret)
		}
		secret = SecretName(name)
		m.secret[name] = secret
	}
	return secret
}
