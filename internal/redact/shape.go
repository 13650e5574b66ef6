package redact

import (
	"reflect"
	"strings"
	"sync"
)

// A shape is what copying has to know of a type of struct. It is worked out once.
type shape struct {
	fields []field
	name   []int // index of the field Name, where it is a string
}

// A field is an exported field that may hold strings.
type field struct {
	index    int
	key      string // its name in JSON, as Envoy writes names
	embedded bool   // its own fields count as those of the struct
	value    bool   // a string that stands under the struct's Name
}

var shapes sync.Map // reflect.Type to *shape

func shapeOf(t reflect.Type) *shape {
	if known, ok := shapes.Load(t); ok {
		return known.(*shape)
	}
	s := &shape{}
	if name, ok := t.FieldByName("Name"); ok && name.Type.Kind() == reflect.String {
		s.name = name.Index
	}
	for n := range t.NumField() {
		f := t.Field(n)
		if !f.IsExported() || f.Type.Kind() <= reflect.Complex128 {
			continue
		}
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		s.fields = append(s.fields, field{index: n, key: snake(key), embedded: f.Anonymous && key == "",
			value: snake(key) == "value" && f.Type.Kind() == reflect.String})
	}
	known, _ := shapes.LoadOrStore(t, s)
	return known.(*shape)
}
