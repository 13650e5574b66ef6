package expr

import (
	"testing"

	"github.com/flowproof/lab/harness/configdump"
)

// FuzzCondition reads any text as an expression's tree and evaluates what it can.
func FuzzCondition(f *testing.F) {
	f.Add(`{"callExpr":{"function":"_==_","args":[{"selectExpr":{"operand":{"identExpr":{"name":"request"}},` +
		`"field":"path"}},{"constExpr":{"stringValue":"/"}}]}}`)
	f.Add(`{"call_expr":{"function":"matches","target":{"const_expr":{"string_value":"a"}},"args":[{"const_expr":{` +
		`"string_value":"("}}]}}`)
	f.Add(`{"structExpr":{"messageName":"google.protobuf.Any","entries":[{"fieldKey":"a","value":{"constExpr":{` +
		`"nullValue":null}}}]}}`)
	f.Fuzz(func(t *testing.T, condition string) {
		d, err := configdump.Parse([]byte(`{"configs":[],"condition":` + condition + `}`))
		if err != nil {
			return
		}
		known := &Attributes{Known: map[string]any{
			"request": map[string]any{"path": "/", "headers": Headers(map[string]string{":authority": "x"})},
			"source":  map[string]any{"port": int64(1)},
		}}
		known.Unknown("request", "time")
		known.Unknown("response")
		var programs Programs
		Holds(programs.Of(d.At("/condition"), Policy, configdump.Value{}), known)
		Holds(programs.Of(d.At("/condition"), Matcher, configdump.Value{}), known)
	})
}
