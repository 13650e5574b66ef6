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

// Remembered is Strings(Value(value), change) with the change of the Memo.
func Remembered[T any](m *Memo, value T) T {
	known, ok := m.memories.Get().(*memory)
	if !ok {
		known = &memory{shownAs: map[standing]struct{}{}, secret: map[string]bool{}}
	}
	defer m.memories.Put(known)
	from := reflect.ValueOf(&value).Elem()
	to := reflect.New(from.Type()).Elem()
	copyOf(to, from, place{change: m.change, memo: known})
	return to.Interface().(T)
}

// A memory has the strings that are shown as they are, and for names whether they are a secret's.
type memory struct {
	shownAs map[standing]struct{}
	secret  map[string]bool
	form    []byte // of the last string
}

// A standing is a string where it stands, with its numbers as formOf has them.
type standing struct {
	hide             bool
	key, above, form string
}

func (m *memory) shown(p place, text string) string {
	m.form = formOf(m.form[:0], text)
	if _, ok := m.shownAs[standing{p.hide, p.key, p.above, string(m.form)}]; ok {
		return text
	}
	kept := p.change(p.text(text))
	if kept == text {
		if len(m.shownAs) >= maxRemembered {
			clear(m.shownAs)
		}
		m.shownAs[standing{p.hide, p.key, p.above, string(m.form)}] = struct{}{}
	}
	return kept
}

// maxNumber is how many digits a number has at most whose digits say nothing.
const maxNumber = 8

// formOf appends text with zeros in the place of the digits of each short number that is a word by
// itself: names of one kind, such as those of many Services, have one form. Whether text is shown
// as it is depends on where it has digits and not on which, but for the signs of an encoding, a
// hash, a document or a version, which keep theirs.
func formOf(form []byte, text string) []byte {
	form = append(form, text...)
	if strings.ContainsAny(text, "%\\$&#<{\r\n") || strings.HasPrefix(strings.TrimSpace(text), "[") ||
		strings.Contains(text, "HTTP/") || strings.Contains(text, "1//") {
		return form
	}
	for n := 0; n < len(form); n++ {
		begin := n
		for n < len(form) && form[n] >= '0' && form[n] <= '9' {
			n++
		}
		alone := (begin == 0 || !inWord(form[begin-1])) && (n == len(form) || !inWord(form[n]))
		if alone && n-begin <= maxNumber {
			for at := begin; at < n; at++ {
				form[at] = '0'
			}
		}
		for n < len(form) && inWord(form[n]) {
			n++
		}
	}
	return form
}

// inWord says whether a byte makes a word of the digits beside it.
func inWord(c byte) bool { return letterOrDigit(c) || c == '_' || c >= utf8.RuneSelf }

// secretName is SecretName.
func (p place) secretName(name string) bool {
	if p.memo == nil {
		return SecretName(name)
	}
	secret, ok := p.memo.secret[name]
	if !ok {
		if len(p.memo.secret) >= maxRemembered {
			clear(p.memo.secret)
		}
		secret = SecretName(name)
		p.memo.secret[name] = secret
	}
	return secret
}
