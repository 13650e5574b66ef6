// Package schema makes a JSON Schema of each result's Go type, keeps it in docs/schema, and holds
// results against it. It is for tests alone: the command does not import it.
package schema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// Draft is the version of JSON Schema that the files are written in.
const Draft = "https://json-schema.org/draft/2020-12/schema"

// Forms are what a schema needs to be told of types.
type Forms struct {
	Own   map[reflect.Type]*jsonschema.Schema // of those that write their JSON themselves
	Blank []reflect.Type                      // those of whose constants a required field may have none: ""
	More  map[reflect.Type][]string           // values of those of strings that other packages name
}

// Of returns the schema of the JSON form of value's type. version is what its field "schema" holds.
// Descriptions are the comments of the Go source, enumerations its constants.
func Of(version string, value any, forms Forms) (*jsonschema.Schema, error) {
	b := &builder{forms: forms, source: newSource()}
	b.defs, b.types = map[string]*jsonschema.Schema{}, map[string]reflect.Type{}
	t := reflect.TypeOf(value)
	root := b.object(t)
	if b.err != nil {
		return nil, fmt.Errorf("schema of %s: %w", t, b.err)
	}
	root.Schema, root.ID, root.Defs = Draft, "https://"+version, b.defs
	own := root.Properties["schema"]
	if own == nil {
		return nil, fmt.Errorf("schema of %s: it has no field schema", t)
	}
	*own = jsonschema.Schema{Type: "string", Const: jsonschema.Ptr[any](version)}
	return root, nil
}

// A builder makes the schema of one result.
type builder struct {
	forms  Forms
	source *source
	defs   map[string]*jsonschema.Schema // by the names of types
	types  map[string]reflect.Type       // that the definitions are of
	err    error
}

func (b *builder) fail(format string, args ...any) *jsonschema.Schema {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
	return &jsonschema.Schema{}
}

// of is the schema of a value of the type: what encoding/json writes for it.
func (b *builder) of(t reflect.Type) *jsonschema.Schema {
	if t.Kind() == reflect.Pointer {
		return b.of(t.Elem())
	}
	if form := b.forms.Own[t]; form != nil {
		return form.CloneSchemas()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	case t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Interface:
		return &jsonschema.Schema{}
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		return b.fail("%s writes its own JSON, and no form is given for it", t)
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return &jsonschema.Schema{Type: "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &jsonschema.Schema{Type: "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(0.0)}
	case reflect.Float32, reflect.Float64:
		return &jsonschema.Schema{Type: "number"}
	case reflect.String:
		return &jsonschema.Schema{Type: "string", Enum: b.values(t)}
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return &jsonschema.Schema{Type: "object", AdditionalProperties: b.of(t.Elem())}
		}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return &jsonschema.Schema{Type: "string", ContentEncoding: "base64"}
		}
		return &jsonschema.Schema{Type: "array", Items: b.of(t.Elem())}
	case reflect.Struct:
		return b.defined(t)
	}
	return b.fail("%s has no JSON form", t)
}

// values are what a type of strings can hold; nil where that is anything.
func (b *builder) values(t reflect.Type) []any {
	all := slices.Clone(b.source.values(t))
	for _, value := range b.forms.More[t] {
		if !slices.Contains(all, any(value)) {
			all = append(all, value)
		}
	}
	return all
}

// defined refers to the definition of a struct, which it makes where it is not there yet.
func (b *builder) defined(t reflect.Type) *jsonschema.Schema {
	if t.Name() == "" {
		return b.object(t)
	}
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if other := b.types[name]; other != nil && other != t { // two packages have a type of that name
		name = strings.ReplaceAll(t.String(), ".", "_")
	}
	if b.types[name] == nil {
		b.types[name] = t
		b.defs[name] = b.object(t)
	}
	return &jsonschema.Schema{Ref: "#/$defs/" + name}
}

// object is the schema of a struct itself.
func (b *builder) object(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Description: b.source.ofType(t),
		Properties:           map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		value := b.of(f.Type)
		value.Description = b.source.ofField(owner(t, f), f.Name)
		s.Properties[name] = value
		s.PropertyOrder = append(s.PropertyOrder, name)
		if !strings.Contains(options, "omit") {
			s.Required = append(s.Required, name)
			orNull(value)
			if slices.Contains(b.forms.Blank, f.Type) {
				value.Enum = append(slices.Clone(value.Enum), "")
			}
		}
	}
	return s
}

// orNull lets an array or an object of any keys be null: so encoding/json writes a slice or map
// that was never made.
func orNull(s *jsonschema.Schema) {
	if s.Type == "array" || s.Type == "object" && s.Properties == nil {
		s.Type, s.Types = "", []string{s.Type, "null"}
	}
}

// owner is the struct that has the field itself: t, or one that is embedded in it.
func owner(t reflect.Type, f reflect.StructField) reflect.Type {
	for _, i := range f.Index[:len(f.Index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	return t
}
