package expr

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Metadata is the metadata of a request, by namespace, as an expression sees it. It is a message
// and no map: of a message has() says whether a map in it has any key, and what is no field of it
// is an error also for has().
// (envoy.config.core.v3.Metadata)
func Metadata(namespaces map[string]map[string]any) any {
	return message{field: "filter_metadata", empty: len(namespaces) == 0,
		value: types.DefaultTypeAdapter.NativeToValue(namespaces)}
}

// A message has one field.
type message struct {
	field string
	value ref.Val
	empty bool
}

var messageType = types.NewObjectType("envoy.config.core.v3.Metadata")

func (m message) Get(field ref.Val) ref.Val {
	if field.Equal(types.String(m.field)) != types.True {
		return types.NewErr("no such field '%v'", field)
	}
	return m.value
}

func (m message) IsSet(field ref.Val) ref.Val {
	if field.Equal(types.String(m.field)) != types.True {
		return types.NewErr("no such field '%v'", field)
	}
	return types.Bool(!m.empty)
}

func (m message) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("metadata is no %v", to)
}
func (m message) ConvertToType(ref.Type) ref.Val { return types.NewErr("metadata is of no other type") }
func (m message) Equal(ref.Val) ref.Val          { return types.NewErr("no such overload") }
func (m message) Type() ref.Type                 { return messageType }
func (m message) Value() any                     { return m }
