package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
)

// plus is the operator +, and sumName a function that has all of it but the joining of texts, bytes
// and lists, which Envoy's expressions do not have where their configuration does not ask for it.
// (createBuilder in source/extensions/filters/common/expr/evaluator.cc)
const (
	plus    = "_+_"
	sumName = "sum"
)

var sum = cel.Function(sumName, cel.Overload("sum_dyn_dyn", []*cel.Type{cel.DynType, cel.DynType}, cel.DynType,
	cel.BinaryBinding(func(left, right ref.Val) ref.Val {
		switch left.(type) {
		case types.String, types.Bytes, traits.Lister:
			return types.NewErr("no such overload")
		}
		if l, ok := left.(traits.Adder); ok {
			return l.Add(right)
		}
		return types.NewErr("no such overload")
	})))

// withoutJoining is a tree in which + joins nothing; nil where it cannot be made.
func withoutJoining(tree *cel.Ast) *cel.Ast {
	parsed, err := cel.AstToParsedExpr(tree)
	if err != nil {
		return nil
	}
	replacePlus(parsed.GetExpr())
	return cel.ParsedExprToAst(parsed)
}

func replacePlus(e *exprpb.Expr) {
	switch kind := e.GetExprKind().(type) {
	case *exprpb.Expr_SelectExpr:
		replacePlus(kind.SelectExpr.GetOperand())
	case *exprpb.Expr_CallExpr:
		if kind.CallExpr.GetFunction() == plus {
			kind.CallExpr.Function = sumName
		}
		replacePlus(kind.CallExpr.GetTarget())
		for _, argument := range kind.CallExpr.GetArgs() {
			replacePlus(argument)
		}
	case *exprpb.Expr_ListExpr:
		for _, element := range kind.ListExpr.GetElements() {
			replacePlus(element)
		}
	case *exprpb.Expr_StructExpr:
		for _, entry := range kind.StructExpr.GetEntries() {
			replacePlus(entry.GetMapKey())
			replacePlus(entry.GetValue())
		}
	case *exprpb.Expr_ComprehensionExpr:
		c := kind.ComprehensionExpr
		for _, part := range []*exprpb.Expr{c.GetIterRange(), c.GetAccuInit(), c.GetLoopCondition(), c.GetLoopStep(),
			c.GetResult()} {
			replacePlus(part)
		}
	}
}
