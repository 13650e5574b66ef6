package expr

import (
	"errors"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"github.com/flowproof/lab/harness/infer/match"
)

// Attributes are what an expression may ask for: what is known, by variable, and patterns of what
// is not. An attribute that Envoy does not have for the request either is in none of both.
type Attributes struct {
	Known   map[string]any
	unknown []*cel.AttributePatternType
}

// Unknown notes attributes of a variable that are not known; without fields, all of it.
func (a *Attributes) Unknown(variable string, fields ...string) {
	if len(fields) == 0 {
		a.unknown = append(a.unknown, cel.AttributePattern(variable))
	}
	for _, f := range fields {
		a.unknown = append(a.unknown, cel.AttributePattern(variable).QualString(f))
	}
}

// UnknownBelow notes values that are not known in a field of a variable that is a map.
func (a *Attributes) UnknownBelow(variable, field string, keys []string) {
	for _, key := range keys {
		a.unknown = append(a.unknown, cel.AttributePattern(variable).QualString(field).QualString(key))
	}
}

// TheResponse is what an expression cannot have before there is one.
const TheResponse = "the response"

// NoBoolean is what an expression has for a result that is no boolean, such as an error.
const NoBoolean = "no boolean"

// Holds evaluates a program for what is known of a connection or request. An error, such as a
// header that is not there, and a result that is no boolean are no. what is TheResponse where
// that was asked for, and NoBoolean where the result is none.
func Holds(program Program, of *Attributes) (result match.Truth, what string) {
	if program == nil {
		return decides("a CEL expression that is not understood"), ""
	}
	vars, err := cel.PartialVars(of.Known, of.unknown...)
	if err != nil {
		return decides("a CEL expression"), ""
	}
	defer func() {
		if recover() != nil { // as in compile
			result, what = decides("a CEL expression that is not understood"), ""
		}
	}()
	value, _, err := program.Eval(vars)
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return decides("a CEL expression that is too costly to evaluate"), ""
	}
	switch v := value.(type) {
	case nil: // Eval turns a panic into an error that comes without a value
		return decides("a CEL expression that is not understood"), ""
	case *types.Unknown:
		name := unknownText(v)
		if strings.HasPrefix(name, "response") {
			return match.No, TheResponse
		}
		return match.Depends("attribute "+name, "the request does not say the attribute "+name), ""
	case types.Bool:
		if err == nil {
			return match.Of(bool(v)), ""
		}
	}
	return match.No, NoBoolean
}

func decides(what string) match.Truth { return match.Depends(what, what+" decides") }

// unknownText names what an expression asked for.
func unknownText(u *types.Unknown) string {
	for _, id := range u.IDs() {
		if trails, ok := u.GetAttributeTrails(id); ok && len(trails) > 0 {
			return strings.NewReplacer("[", "", "]", "", `"`, "").Replace(trails[0].String())
		}
	}
	return "of a CEL expression"
}

// Headers are the headers of a request as an expression sees them.
func Headers(all map[string]string) any {
	return headers{types.NewStringStringMap(types.DefaultTypeAdapter, all)}
}

// headers looks names up as Envoy does: in lower case, and host as the authority.
type headers struct{ traits.Mapper }

func (h headers) Find(key ref.Val) (ref.Val, bool) { return h.Mapper.Find(lowered(key)) }
func (h headers) Get(key ref.Val) ref.Val          { return h.Mapper.Get(lowered(key)) }
func (h headers) Contains(key ref.Val) ref.Val     { return h.Mapper.Contains(lowered(key)) }

func lowered(key ref.Val) ref.Val {
	s, ok := key.(types.String)
	if !ok {
		return key
	}
	name := strings.ToLower(string(s))
	if name == "host" {
		name = ":authority"
	}
	return types.String(name)
}
