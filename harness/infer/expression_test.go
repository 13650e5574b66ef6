package infer

import (
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// conditional is a dump whose one listener has an RBAC filter with a policy of this condition.
func conditional(t testing.TB, expression string) *configdump.Dump {
	t.Helper()
	env, err := cel.NewEnv()
	must(t, err)
	tree, issues := env.Parse(expression)
	must(t, issues.Err())
	parsed, err := cel.AstToParsedExpr(tree)
	must(t, err)
	text, err := protojson.Marshal(parsed.Expr)
	must(t, err)
	return withCondition(t, string(text))
}

func withCondition(t testing.TB, condition string) *configdump.Dump {
	t.Helper()
	d, err := configdump.Parse([]byte(`{"configs":[{"static_clusters":[{"cluster":{"name":"a",
		"load_assignment":{"endpoints":[{"lb_endpoints":[
 {"endpoint":{"address":{"socket_address":{"address":"10.0.0.1","port_value":80}}}}]}]}}}]},
   {"static_listeners":[{"listener":{"name":"l",
 "address":{"socket_address":{"address":"0.0.0.0","port_value":80}},"filter_chains":[{"filters":[{"typed_config":{
 "@type":"x/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
   "http_filters":[{"name":"rbac","typed_config":{
 "@type":"x/envoy.extensions.filters.http.rbac.v3.RBAC",
   "rules":{"policies":{"p":{"permissions":[{"any":true}],"principals":[{"any":true}],
     "condition":` + condition + `}}}}},
 {"name":"envoy.filters.http.router"}],
 "route_config":` + routesTo(`{"prefix":"/"}`) + `}}]}]}}]}]}`))
	must(t, err)
	return d
}

// TestConditionsDepend is the table of what an expression may ask for and neither dump nor request
// says: the request goes on, and the decision says what it depends on.
func TestConditionsDepend(t *testing.T) {
	many := "[" + strings.Repeat("1,", 49) + "1]"
	for expression, on := range map[string]string{
		many + `.all(a, ` + many + `.all(b, ` + many + `.all(c, a == b || c == 1)))`: "too costly",
		`size({bytes('a'): 1}) == 1`:                        "not understood", // a panic in the library
		`request.total_size > 1000`:                         "request.total_size",
		`request.time > timestamp('2020-01-01T00:00:00Z')`:  "request.time",
		`request.id == 'x'`:                                 "request.id",
		`metadata.typed_filter_metadata['x'].y == 'me'`:     "metadata",
		`filter_state['x'] == 'y'`:                          "filter_state",
		`xds.route_metadata.filter_metadata['r']['k'] == 1`: "xds",
		`source.address.startsWith('10.')`:                  "source.address",
		`request.method == 'GET' && xds.node.id == 'c'`:     "xds",
		`connection.id == 1u`:                               "connection.id",
	} {
		d, err := Decide(conditional(t, expression), flow.Request{Direction: flow.Gateway, Address: "10.0.0.9",
			Port: 80, Authority: "x"})
		must(t, err)
		said := ""
		for _, dependency := range d.Depends {
			if dependency.Hop == flow.HTTPFilters {
				said += dependency.On
			}
		}
		if d.Outcome != flow.Forwarded || d.Certainty != flow.Depends || len(d.Possible) != 2 ||
			!strings.Contains(said, on) {
			t.Errorf("%s: %s %s, depends on %q; %q is expected", expression, d.Outcome, d.Failure, said, on)
		}
	}
}

// TestConditionsThatHurt takes trees that are made to hurt or that are none.
func TestConditionsThatHurt(t *testing.T) {
	loop := `{"constExpr":{"boolValue":true}}`
	for range 6 {
		loop = `{"comprehensionExpr":{"iterVar":"x","iterRange":{"listExpr":{"elements":[` +
			strings.Repeat(`{"constExpr":{"int64Value":1}},`, 200) + `{"constExpr":{"int64Value":1}}]}},
 "accuVar":"y","accuInit":{"constExpr":{"boolValue":true}},"loopCondition":{"constExpr":{"boolValue":true}},
   "loopStep":` + loop + `,"result":{"identExpr":{"name":"y"}}}}`
	}
	for name, condition := range map[string]string{
		"loops inside loops": loop, "no tree": `{}`, "a string": `"x"`,
		"an unknown function":      `{"callExpr":{"function":"nothing"}}`,
		"a call without arguments": `{"callExpr":{"function":"_==_"}}`, "an empty select": `{"selectExpr":{}}`,
	} {
		d, err := Decide(withCondition(t, condition), flow.Request{Direction: flow.Gateway, Address: "10.0.0.9",
			Port: 80, Authority: "x"})
		must(t, err)
		if d.Outcome == "" {
			t.Errorf("%s: no outcome", name)
		}
	}
}
