package configdump

// A Message is a Value whose fields were found in one pass, for one that is asked for many of them.
// It answers like the Value itself. Its fields are protobuf's, not the keys of a map.
type Message struct {
	Value
	fields []field
}

// A field is where one field of a Message stands.
type field struct {
	key        []byte // as in the text, without quotes
	start, end int
}

// Message finds the fields of an object.
func (v Value) Message() Message {
	m := Message{Value: v}
	if !v.IsObject() {
		return m
	}
	m.fields = make([]field, 0, 8)
	s := v.scan()
	s.object(func(key []byte) {
		if start, end := s.skip(); s.err == nil {
			m.fields = append(m.fields, field{key, start, end})
		}
	})
	v.dump.keep(s.err)
	return m
}

// Get returns the field that the names lead to: see Value.Get.
func (m Message) Get(names ...string) Value {
	if len(names) == 0 {
		return m.Value
	}
	f := m.named(names[0])
	if f == nil {
		return Value{}
	}
	name := names[0]
	if string(f.key) != name {
		name = string(f.key)
	}
	return Value{m.dump, f.start, f.end, below(m.at, name, -1)}.Get(names[1:]...)
}

// named returns the field of that name, or nil. There are few, so that looking at each is
// quicker than a map.
func (m Message) named(name string) *field {
	for i := range m.fields {
		if sameField(m.fields[i].key, name) {
			return &m.fields[i]
		}
	}
	return nil
}

// Has says whether the field is there and not null.
func (m Message) Has(name string) bool {
	f := m.named(name)
	return f != nil && Value{dump: m.dump, start: f.start, end: f.end}.Exists()
}
