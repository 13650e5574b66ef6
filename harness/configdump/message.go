package configdump

// A Message is a Value whose fields were found in one pass, for one that is asked for many of them. It answers like the
// Value itself. Its fields are protobuf's, not the keys of a map.
type Message struct {
	Value
	fields map[string]Value
}

// Message finds the fields of an object.
func (v Value) Message() Message {
	m := Message{Value: v, fields: map[string]Value{}}
	for key, field := range v.Fields() {
		if name := FieldName(key); m.fields[name].end == 0 {
			m.fields[name] = field
		}
	}
	return m
}

// Get returns the field that the names lead to: see Value.Get.
func (m Message) Get(names ...string) Value {
	if len(names) == 0 {
		return m.Value
	}
	return m.fields[names[0]].Get(names[1:]...)
}

// Has says whether the field is there and not null.
func (m Message) Has(name string) bool { return m.fields[name].Exists() }
