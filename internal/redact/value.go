package redact

import (
	"reflect"
	"strings"
)

// Strings returns a deep copy of a value with each string replaced by what change makes of it.
func Strings[T any](value T, change func(string) string) T {
	from := reflect.ValueOf(&value).Elem()
	to := reflect.New(from.Type()).Elem()
	copyOf(to, from, place{change: change})
	return to.Interface().(T)
}

// Value returns a deep copy of a value without its secrets: each string goes by the name that it has in JSON and by its own
// form, as in JSON. What has unexported fields, such as a time or an address, is copied as it is.
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
		if p.change != nil {
			to.SetString(p.change(from.String()))
			return
		}
		to.SetString(p.text(from.String()))
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

func copyFields(to, from reflect.Value, p place) {
	to.Set(from) // what is not exported
	name := nameOf(from)
	for n := range from.NumField() {
		field := from.Type().Field(n)
		if !field.IsExported() {
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		below := place{hide: p.hide, key: snake(key), above: p.key, change: p.change}
		if field.Anonymous && key == "" {
			below = p
		}
		if below.key == "value" && from.Field(n).Kind() == reflect.String && SecretName(name) {
			below.hide = true
		}
		if to.Field(n).Kind() == reflect.Slice || to.Field(n).Kind() == reflect.Map || to.Field(n).Kind() == reflect.Pointer || to.Field(n).Kind() == reflect.Interface {
			to.Field(n).SetZero()
		}
		copyOf(to.Field(n), from.Field(n), below)
	}
}

// nameOf is the Name of a pair of a name and a value.
func nameOf(v reflect.Value) string {
	if name := v.FieldByName("Name"); name.IsValid() && name.Kind() == reflect.String {
		return name.String()
	}
	return ""
}

func copyMap(to, from reflect.Value, p place) {
	if from.IsNil() {
		return
	}
	to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
	for _, key := range from.MapKeys() {
		below := place{hide: p.hide, key: snake(key.String()), above: p.key, change: p.change}
		value := reflect.New(from.Type().Elem()).Elem()
		copyOf(value, from.MapIndex(key), below)
		if p.change != nil && key.Kind() == reflect.String {
			key = reflect.ValueOf(p.change(key.String())).Convert(key.Type())
		}
		to.SetMapIndex(key, value)
	}
}
