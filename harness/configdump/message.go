package configdump

// A Message is a Value whose fields were found in one pass, for one that is asked for many of them. It answers like the
// Value itself. Its fields are protobuf's, not the keys of a map.
type Message struct {
	Value
	fields []Value
}

// Message finds the fields of an object.
func (v Value) Message() Message {
	m := Message{Value: v}
	for _, field := range v.Fields() {
		if m.fields == nil {
			m.fields = make([]Value, 0, 8)
		}
		m.fields = append(m.fields, field)
	}
	return m
}

// Get returns the field that the names lead to: see Value.Get.
func (m Message) Get(names ...string) Value {
	if len(names) == 0 {
		return m.Value
	}
	return m.named(names[0]).Get(names[1:]...)
}

// named returns the field of that name. There are few, so that looking at each is quicker than a map.
func (m Message) named(name string) Value {
	for _, field := range m.fields {
		if sameField(field.at.key, name) {
			return field
		}
	}
	return Value{}
}

// Has says whether the field is there and not null.
func (m Message) Has(name string) bool { return m.named(name).Exists() }
