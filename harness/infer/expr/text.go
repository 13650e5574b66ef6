package expr

import (
	"errors"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/flowproof/lab/harness/configdump"
)

// OfText returns the program of an expression that is written as text, or nil for one that is not
// understood.
func (p *Programs) OfText(text string) Program {
	return p.at("text:"+text, false, func(env *cel.Env) *cel.Ast {
		tree, issues := env.Parse(text)
		if issues.Err() != nil {
			return nil
		}
		return tree
	})
}

// Of returns the program of an expression that stands in the dump, or nil for one that is not
// understood. read takes the expression out of its message: Policy or Matcher. config is
// envoy.config.core.v3.CelExpressionConfig, where there is one: its functions of strings are not
// understood.
func (p *Programs) Of(v configdump.Value, read func(configdump.Value) *cel.Ast, config configdump.Value) Program {
	if config.Get("enable_string_functions").Bool() {
		return nil
	}
	return p.at(v.Pointer(), config.Get("enable_string_concat").Bool(), func(*cel.Env) *cel.Ast { return read(v) })
}

// Text evaluates a program to a text, as the command CEL of a format string does. An error, such
// as a header that is not there, is no value. known is false for what is not known, and for a value
// whose text Envoy writes in a form of its own. (source/extensions/formatter/cel/cel.cc)
func Text(program Program, of *Attributes) (text string, have, known bool) {
	if program == nil {
		return "", false, false
	}
	vars, err := cel.PartialVars(of.Known, of.unknown...)
	if err != nil {
		return "", false, false
	}
	defer func() {
		if recover() != nil { // as in compile
			text, have, known = "", false, false
		}
	}()
	value, _, err := program.Eval(vars)
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) || value == nil {
		return "", false, false
	}
	return written(value, err)
}

func written(value ref.Val, err error) (text string, have, known bool) {
	switch v := value.(type) {
	case *types.Unknown:
		return "", false, false
	case types.String:
		return string(v), true, true
	case types.Int:
		return strconv.FormatInt(int64(v), 10), true, true
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), true, true
	case types.Bool:
		return strconv.FormatBool(bool(v)), true, true
	}
	return "", false, err != nil
}
