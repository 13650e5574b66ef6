package expr

import (
	"cel.dev/cel-go/cel"
	celpb "cel.dev/expr"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/flowproof/lab/harness/configdump"
)

func fromJSON(v configdump.Value, message proto.Message) bool {
	return protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxExpression}.Unmarshal(v.Raw(),
		message) == nil
}

// Policy reads google.api.expr.v1alpha1.Expr, as RBAC policies have it.
func Policy(v configdump.Value) *cel.Ast {
	var expr exprpb.Expr
	if !fromJSON(v, &expr) {
		return nil
	}
	return cel.ParsedExprToAst(&exprpb.ParsedExpr{Expr: &expr})
}

// Matcher reads xds.type.v3.CelExpression: parsed or checked, in the API's older or newer
// messages. What a check found out about types is not needed to evaluate. (Envoy refuses one
// that is given as text only.)
func Matcher(v configdump.Value) *cel.Ast {
	for kind, expr := range v.Fields() {
		switch configdump.FieldName(kind) {
		case "cel_expr_parsed", "cel_expr_checked", "parsed_expr", "checked_expr":
			var parsed celpb.ParsedExpr // the older messages have the same fields
			if !fromJSON(expr, &parsed) {
				return nil
			}
			text, err := proto.Marshal(&parsed)
			var same exprpb.ParsedExpr
			if err != nil || proto.Unmarshal(text, &same) != nil {
				return nil
			}
			return cel.ParsedExprToAst(&same)
		}
	}
	return nil
}
