package redact

import (
	"reflect"
	"sync"
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
}

// A standing is a string where it stands.
type standing struct {
	hide             bool
	key, above, text string
}

func (m *memory) shown(p place, text string) string {
	at := standing{p.hide, p.key, p.above, text}
	if _, ok := m.shownAs[at]; ok {
		return text
	}
	kept := p.change(p.text(text))
	if kept == text {
		if len(m.shownAs) >= maxRemembered {
			clear(m.shownAs)
		}
		m.shownAs[at] = struct{}{}
	}
	return kept
}

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
