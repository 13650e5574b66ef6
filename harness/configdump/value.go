package configdump

import (
	"encoding/json"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flowproof/lab/internal/protoname"
)

// A Value is one place in a dump: it knows its own JSON pointer and is decoded only where it is
// asked. The zero Value is a field that is not there; every accessor of it gives the type's zero,
// as protobuf's defaults do. A syntax error that is met while reading makes the Value end there and
// is kept in the dump: see Dump.Err.
type Value struct {
	dump       *Dump
	start, end int
	at         *step
}

// A step is one reference token of a JSON pointer, linked to the one before.
type step struct {
	parent *step
	key    string
	index  int                    // of an array's element; -1 for a field
	text   atomic.Pointer[string] // the whole pointer, once something below has asked for it
}

func below(parent *step, key string, index int) *step {
	return &step{parent: parent, key: key, index: index}
}

// Exists says whether the field is there and not null.
func (v Value) Exists() bool { return v.end > v.start && v.dump.data[v.start] != 'n' }

// Raw returns the JSON text of the value. It must not be changed.
func (v Value) Raw() []byte {
	if v.dump == nil {
		return nil
	}
	return v.dump.data[v.start:v.end:v.end]
}

// first returns the first byte, which tells the kind, or 0.
func (v Value) first() byte {
	if v.end <= v.start {
		return 0
	}
	return v.dump.data[v.start]
}

// IsObject says whether the value is a JSON object.
func (v Value) IsObject() bool { return v.first() == '{' }

// IsArray says whether the value is a JSON array.
func (v Value) IsArray() bool { return v.first() == '[' }

// Pointer returns the place in the dump as a JSON pointer (RFC 6901), or "" for what is not there.
func (v Value) Pointer() string { return v.at.pointer() }

func (s *step) pointer() string {
	if s == nil {
		return ""
	}
	token := s.key
	if s.index >= 0 {
		token = strconv.Itoa(s.index)
	} else if strings.ContainsAny(token, "~/") {
		token = pointerEscape.Replace(token)
	}
	return s.parent.kept() + "/" + token
}

// kept is pointer for a place that many others stand below.
func (s *step) kept() string {
	if s == nil {
		return ""
	}
	if text := s.text.Load(); text != nil {
		return *text
	}
	text := s.pointer()
	s.text.Store(&text)
	return text
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// Fields yields the fields of an object in the order of the text; of anything else
// it yields nothing.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if !v.IsObject() {
			return
		}
		s := v.scan()
		s.object(func(key []byte) {
			start, end := s.skip()
			name := unquote(key)
			child := Value{v.dump, start, end, below(v.at, name, -1)}
			if s.err == nil && !yield(name, child) {
				s.err = errStop
			}
		})
		v.dump.keep(s.err)
	}
}

// Elements yields the elements of an array; of anything else it yields nothing.
func (v Value) Elements() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if !v.IsArray() {
			return
		}
		s := v.scan()
		s.array(func(i int) {
			start, end := s.skip()
			if s.err == nil && !yield(i, Value{v.dump, start, end, below(v.at, "", i)}) {
				s.err = errStop
			}
		})
		v.dump.keep(s.err)
	}
}

// scan returns a scanner over the value's own text; offsets stay those of the dump.
func (v Value) scan() *scanner { return &scanner{data: v.dump.data[:v.end], pos: v.start} }

// Get returns the field that the names lead to, one step each. A name is a protobuf field name
// (filter_chain_match); its lowerCamelCase form (filterChainMatch) is found too, because protobuf's
// JSON mapping allows both.
func (v Value) Get(names ...string) Value {
	for _, name := range names {
		v = v.field(name)
		if v.end == 0 {
			return Value{}
		}
	}
	return v
}

// Key returns a map's value by its key, which is no field name: it stands in the text as it is
// given here, or it is not there.
func (v Value) Key(key string) Value {
	for k, value := range v.Fields() {
		if k == key {
			return value
		}
	}
	return Value{}
}

func (v Value) field(name string) Value {
	if !v.IsObject() {
		return Value{}
	}
	var found Value
	s := v.scan()
	s.object(func(key []byte) {
		if !sameField(key, name) {
			return
		}
		start, end := s.skip()
		if s.err == nil {
			found = Value{v.dump, start, end, below(v.at, string(key), -1)}
			s.err = errStop
		}
	})
	v.dump.keep(s.err)
	return found
}

// sameField says whether a key of the text names the protobuf field, in either of its forms.
func sameField[T string | []byte](key T, name string) bool {
	if len(key) >= len(name) { // without its underscores a name is shorter
		return string(key) == name
	}
	if len(key) == 0 || key[0] != name[0] && name[0] != '_' { // most keys
		return false
	}
	var room [64]byte
	return string(key) == string(protoname.AppendJSON(room[:0], name))
}

// Has says whether the field is there and not null.
func (v Value) Has(name string) bool { return v.field(name).Exists() }

// Element returns the element of an array with that index.
func (v Value) Element(index int) Value {
	for i, e := range v.Elements() {
		if i == index {
			return e
		}
	}
	return Value{}
}

// Len returns the number of elements of an array, or of fields of an object.
func (v Value) Len() int {
	n := 0
	for range v.Elements() {
		n++
	}
	for range v.Fields() {
		n++
	}
	return n
}

// Text returns a string without its quotes, or a number or boolean as it stands; otherwise "".
func (v Value) Text() string {
	switch c := v.first(); {
	case c == '"':
		return unquote(v.dump.data[v.start+1 : v.end-1])
	case c == '{' || c == '[' || !v.Exists():
		return ""
	}
	return string(v.Raw())
}

// Texts returns the elements of an array of strings.
func (v Value) Texts() []string {
	var all []string
	for _, e := range v.Elements() {
		all = append(all, e.Text())
	}
	return all
}

// unquote decodes the inside of a JSON string.
func unquote(raw []byte) string {
	for _, c := range raw {
		if c == '\\' {
			var s string
			if json.Unmarshal([]byte(`"`+string(raw)+`"`), &s) == nil {
				return s
			}
			break
		}
	}
	return string(raw)
}

// Uint returns a non-negative number; 64-bit numbers stand as strings in protobuf's JSON.
// Anything else is 0.
func (v Value) Uint() uint64 {
	text := v.Text()
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	if f := v.Float(); f >= 0 && f < 1<<63 {
		return uint64(f)
	}
	return 0
}

// Int returns a whole number, or 0.
func (v Value) Int() int64 {
	n, _ := strconv.ParseInt(v.Text(), 10, 64)
	return n
}

// Float returns a number, or 0.
func (v Value) Float() float64 {
	f, _ := strconv.ParseFloat(v.Text(), 64)
	return f
}

// Bool returns true for true. Wrapped booleans are plain in JSON.
func (v Value) Bool() bool { return v.Text() == "true" }

// Duration returns a protobuf duration, which stands in JSON as seconds with an s: "0.250s".
// Anything else is 0.
func (v Value) Duration() time.Duration {
	d, err := time.ParseDuration(v.Text())
	if err != nil {
		return 0
	}
	return d
}

// Type returns the message name of an Any without "type.googleapis.com/", or "".
func (v Value) Type() string {
	text := v.field("@type").Text()
	return text[strings.LastIndexByte(text, '/')+1:]
}

// Typed returns the message that an extension is configured with and its type. A TypedStruct,
// which older Istio wraps its filters in, is opened: its own type_url names the message and its
// value holds the fields.
func (v Value) Typed() (message Value, messageType string) {
	messageType = v.Type()
	if strings.HasSuffix(messageType, ".TypedStruct") {
		url := v.field("type_url").Text()
		return v.field("value"), url[strings.LastIndexByte(url, '/')+1:]
	}
	return v, messageType
}
