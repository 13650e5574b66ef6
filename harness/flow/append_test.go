package flow

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// filled sets every field of a value, so that a field that is added later is not forgotten in
// AppendJSON.
func filled(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		v.SetInt(-7)
	case reflect.Uint32:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0), text)
		filled(v.Index(1), text)
	case reflect.Struct:
		for i := range v.NumField() {
			filled(v.Field(i), text)
		}
	}
}

func sameAsEncodingJSON(t *testing.T, d Decision) {
	t.Helper()
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d); err != nil {
		t.Fatal(err)
	}
	if got := string(d.AppendJSON(nil)) + "\n"; got != want.String() {
		t.Errorf("AppendJSON writes\n%sencoding/json writes\n%s", got, want.String())
	}
}

// TestAppendJSON holds AppendJSON against encoding/json.
func TestAppendJSON(t *testing.T) {
	var full Decision
	filled(reflect.ValueOf(&full).Elem(), "a \"b\" \\ <c> → \u2028")
	for name, d := range map[string]Decision{
		"empty": {}, "no hops": {Hops: []Hop{}}, "every field": full,
		"bare hop": {Hops: []Hop{{}, {Expect: []Fact{{}}, Rejected: []Alternative{{}}}}},
	} {
		t.Run(name, func(t *testing.T) { sameAsEncodingJSON(t, d) })
	}
}

// FuzzAppendJSON tries strings of all bytes.
func FuzzAppendJSON(f *testing.F) {
	f.Add("\x00\x1f\x7f\x80\xff \b\f\n\r\t\" \\ / <&> \u2028\u2029\ufffd 😀")
	f.Fuzz(func(t *testing.T, s string) { sameAsEncodingJSON(t, Decision{ID: s}) })
}
