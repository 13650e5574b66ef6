package redact

import "reflect"

// Strings returns a deep copy of a value with each string replaced by what change makes of it.
func Strings[T any](value T, change func(string) string) T {
	from := reflect.ValueOf(&value).Elem()
	to := reflect.New(from.Type()).Elem()
	copyOf(to, from, place{change: change})
	return to.Interface().(T)
}

// Value returns a deep copy of a value without its secrets: each string goes by the name that it
// has in JSON and by its own form, as in JSON. What has unexported fields, such as a time or an
// address, is copied as it is.
func Value[T any](value T) T {
	from := reflect.ValueOf(&value).Elem()
	to := reflect.New(from.Type()).Elem()
	copyOf(to, from, place{})
	return to.Interface().(T)
}

// copyOf sets to to what from holds, without secrets.
func copyOf(to, from reflect.Value, p place) {
	switch from.Kind() {
	case reflect.String:
		to.SetString(p.shown(from.String()))
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			copyOf(to.Elem(), from.Elem(), p)
		}
	case reflect.Interface:
		if !from.IsNil() {
			inner := reflect.New(from.Elem().Type()).Elem()
			copyOf(inner, from.Elem(), p)
			to.Set(inner)
		}
	case reflect.Struct:
		copyFields(to, from, p)
	case reflect.Map:
		copyMap(to, from, p)
	case reflect.Slice:
		if from.IsNil() || from.Type().Elem().Kind() == reflect.Uint8 {
			to.Set(from)
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for n := range from.Len() {
			copyOf(to.Index(n), from.Index(n), p)
		}
	case reflect.Array:
		for n := range from.Len() {
			copyOf(to.Index(n), from.Index(n), p)
		}
	default:
		to.Set(from)
	}
}

// shown is what a string becomes where it stands.
func (p place) shown(text string) string {
	switch {
	case p.memo != nil:
		return p.memo.shown(p, text)
	case p.change != nil:
		return p.change(text)
	}
	return p.text(text)
}

func copyFields(to, from reflect.Value, p place) {
	to.Set(from) // what is not exported, and what holds no string
	s := shapeOf(from.Type())
	for _, f := range s.fields {
		below := place{hide: p.hide, key: f.key, above: p.key, change: p.change, memo: p.memo}
		if f.embedded {
			below = p
		}
		if f.value && s.name != nil && p.secretName(from.FieldByIndex(s.name).String()) {
			below.hide = true
		}
		target := to.Field(f.index)
		switch target.Kind() {
		case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
			target.SetZero()
		}
		copyOf(target, from.Field(f.index), below)
	}
}

func copyMap(to, from reflect.Value, p place) {
	if from.IsNil() {
		return
	}
	to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
	for _, key := range from.MapKeys() {
		below := place{hide: p.hide, key: snake(key.String()), above: p.key, change: p.change, memo: p.memo}
		value := reflect.New(from.Type().Elem()).Elem()
		copyOf(value, from.MapIndex(key), below)
		if p.change != nil && key.Kind() == reflect.String {
			key = reflect.ValueOf(p.change(key.String())).Convert(key.Type())
		}
		to.SetMapIndex(key, value)
	}
}
