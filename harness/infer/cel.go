package infer

import (
	"errors"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
	celpb "cel.dev/expr"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// Bounds of an expression: how deep its tree may nest in the dump, and what its evaluation may cost.
const (
	maxExpression = 300
	maxCost       = 1 << 16
)

// celAttributes are the variables that Envoy gives to an expression. (docs/root/intro/arch_overview/advanced/attributes)
var celAttributes = []string{"request", "source", "destination", "connection", "response", "upstream", "metadata", "filter_state", "xds"}

// celEnvironment is made when the first expression is met: most dumps have none.
func (e *Engine) celEnvironment() *cel.Env {
	e.expressions.Do(func() {
		options := []cel.EnvOption{cel.StdLib()}
		for _, name := range celAttributes {
			options = append(options, cel.Variable(name, cel.DynType))
		}
		e.cel, _ = cel.NewCustomEnv(options...) // without it no expression is understood, which is said where one stands
	})
	return e.cel
}

// expression returns the program of an expression in the dump, or nil for one that is not understood.
func (e *Engine) expression(v configdump.Value, read func(configdump.Value) *cel.Ast) cel.Program {
	return once(e, e.programs, v.Pointer(), func() (program cel.Program) {
		// The planner panics on trees that no parser makes, such as a comparison of one value.
		defer func() {
			if recover() != nil {
				program = nil
			}
		}()
		env := e.celEnvironment()
		tree := read(v)
		if env == nil || tree == nil {
			return nil
		}
		program, err := env.Program(tree, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxCost))
		if err != nil {
			return nil
		}
		return program
	})
}

func fromJSON(v configdump.Value, message proto.Message) bool {
	return protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxExpression}.Unmarshal(v.Raw(), message) == nil
}

// barely reads google.api.expr.v1alpha1.Expr, as RBAC policies have it.
func barely(v configdump.Value) *cel.Ast {
	var expr exprpb.Expr
	if !fromJSON(v, &expr) {
		return nil
	}
	return cel.ParsedExprToAst(&exprpb.ParsedExpr{Expr: &expr})
}

// celExpression reads xds.type.v3.CelExpression: parsed or checked, in the API's older or newer messages. What a check found
// out about types is not needed to evaluate. (Envoy refuses one that is given as text only.)
func celExpression(v configdump.Value) *cel.Ast {
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

// theResponse is what an expression cannot have before there is one.
const theResponse = "the response"

// condition evaluates a program for a connection or request. An error, such as a header that is not there, and a result
// that is no boolean are no. what is theResponse where that was asked for.
func (w *walk) condition(program cel.Program, overHTTP bool) (result match.Truth, what string) {
	if program == nil {
		return match.Depends("a CEL expression that is not understood", "a CEL expression that is not understood decides"), ""
	}
	known, unknown := w.attributes(overHTTP)
	vars, err := cel.PartialVars(known, unknown...)
	if err != nil {
		return match.Depends("a CEL expression", "a CEL expression decides"), ""
	}
	defer func() {
		if recover() != nil { // as in expression
			result, what = match.Depends("a CEL expression that is not understood", "a CEL expression that is not understood decides"), ""
		}
	}()
	value, _, err := program.Eval(vars)
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return match.Depends("a CEL expression that is too costly to evaluate", "a CEL expression that is too costly to evaluate decides"), ""
	}
	switch v := value.(type) {
	case nil: // Eval turns a panic into an error that comes without a value
		return match.Depends("a CEL expression that is not understood", "a CEL expression that is not understood decides"), ""
	case *types.Unknown:
		name := unknownText(v)
		if strings.HasPrefix(name, "response") {
			return match.No, theResponse
		}
		return match.Depends("attribute "+name, "the request does not say the attribute "+name), ""
	case types.Bool:
		if err == nil {
			return match.Of(bool(v)), ""
		}
	}
	return match.No, ""
}

// unknownText names what an expression asked for.
func unknownText(u *types.Unknown) string {
	for _, id := range u.IDs() {
		if trails, ok := u.GetAttributeTrails(id); ok && len(trails) > 0 {
			return strings.NewReplacer("[", "", "]", "", `"`, "").Replace(trails[0].String())
		}
	}
	return "of a CEL expression"
}

// attributes are what an expression may ask for: what is known, and patterns of what is not. An attribute that Envoy does
// not have for the request either is in none of both.
func (w *walk) attributes(overHTTP bool) (map[string]any, []*cel.AttributePatternType) {
	var unknown []*cel.AttributePatternType
	unknowns := func(name string, fields ...string) {
		for _, f := range fields {
			unknown = append(unknown, cel.AttributePattern(name).QualString(f))
		}
	}
	request := map[string]any{}
	if overHTTP {
		request = w.requestAttributes()
		unknowns("request", "time", "duration", "size", "total_size")
		if request["id"] == placeholderID {
			unknowns("request", "id")
		}
	}
	source := map[string]any{}
	from := w.downstreamRemote()
	if from.IsValid() {
		source["address"], source["port"] = from.String(), int64(from.Port())
	} else {
		unknowns("source", "address", "port")
	}
	connection := map[string]any{"mtls": w.mutual(), "requested_server_name": w.conn.serverName}
	unknowns("connection", "id")
	if w.conn.terminated {
		unknowns("connection", "tls_version", "subject_local_certificate", "dns_san_local_certificate", "uri_san_local_certificate")
	}
	if w.mutual() {
		unknowns("connection", "subject_peer_certificate", "dns_san_peer_certificate", "sha256_peer_certificate_digest")
		if w.opts.Peer == "" {
			unknowns("connection", "uri_san_peer_certificate")
		} else {
			connection["uri_san_peer_certificate"] = w.opts.Peer
		}
	}
	for _, name := range []string{"response", "metadata", "filter_state", "xds"} {
		unknown = append(unknown, cel.AttributePattern(name))
	}
	return map[string]any{
		"request": request, "source": source, "connection": connection,
		"destination": map[string]any{"address": w.conn.local.String(), "port": int64(w.conn.local.Port())},
		"response":    map[string]any{}, "upstream": map[string]any{}, "metadata": map[string]any{}, "filter_state": map[string]any{}, "xds": map[string]any{},
	}, unknown
}

// requestAttributes are those of request. Headers are found by name in any case.
func (w *walk) requestAttributes() map[string]any {
	h := w.req.header
	path, _ := h.Get(":path")
	all := map[string]any{
		"headers": celHeaders{types.NewStringStringMap(types.DefaultTypeAdapter, h.All())}, "path": path, "url_path": match.PathOnly(path),
		"query": strings.TrimPrefix(match.QueryOf(path), "?"), "protocol": map[string]string{http10: "HTTP/1.0", http11: "HTTP/1.1", http2: "HTTP/2", grpc: "HTTP/2"}[w.req.Protocol],
	}
	for attribute, name := range map[string]string{"host": ":authority", "scheme": ":scheme", "method": ":method", "referer": "referer",
		"useragent": "user-agent", "id": "x-request-id"} {
		if value, ok := h.Get(name); ok {
			all[attribute] = value
		}
	}
	return all
}

// mutual says whether the client showed a certificate in a handshake with this proxy.
func (w *walk) mutual() bool { return w.conn.terminated && w.req.TLS == flow.MTLS }

// celHeaders looks names up as Envoy does: in lower case, and host as the authority.
type celHeaders struct{ traits.Mapper }

func (h celHeaders) Find(key ref.Val) (ref.Val, bool) { return h.Mapper.Find(lowered(key)) }
func (h celHeaders) Get(key ref.Val) ref.Val          { return h.Mapper.Get(lowered(key)) }
func (h celHeaders) Contains(key ref.Val) ref.Val     { return h.Mapper.Contains(lowered(key)) }

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
