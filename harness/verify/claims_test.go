package verify

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// decisions is a table of decisions, of what was seen, and of the words that remain.
var decisions = []struct {
	decision string
	seen     []flow.Evidence
	want     string
}{
	{"fortio-server → 10.96.215.136", is(flow.FactResolved, "10.96.215.136"), ""},
	{"another-name → 10.96.215.136", is(flow.FactResolved, "10.96.215.136"), "another-name"},
	{"REDIRECT 10.96.215.136:8080 to port 15001", is(flow.FactOriginalDst, "10.96.215.136:8080",
		flow.FactRedirectPort, "15001"), ""},
	{"REDIRECT 10.96.215.136:8080 to port 15001", is(flow.FactOriginalDst, "10.96.215.136:8080"), "to port 15001"},
	{"0.0.0.0_8080", is(flow.FactListener, "0.0.0.0_8080"), ""},
	{"0.0.0.0_8080 [10]", is(flow.FactFilterChain, "0.0.0.0_8080"), "[10]"},
	{"unnamed [0]", is(flow.FactFilterChain, "unnamed"), "[0]"},
	{"default", is(flow.FactFilterChain, "0.0.0.0_8080"), "default"},
	{"no filter chain", is(flow.FactDetails, "filter_chain_not_found"), ""},
	{"clear text", is(flow.FactTLSVersion, "none"), ""},
	{"clear text", is(flow.FactPeer, "1.2.3.4:5"), "clear text"},
	{"mutual TLS terminated", is(flow.FactPeerURI, "spiffe://x"), ""},
	{"mutual TLS terminated", is(flow.FactTLSVersion, "TLS*"), "mutual"},
	{"TLS passed through", is(flow.FactTransport, "tls"), ""},
	{"mutual TLS, SNI outbound_.8080_._.x, ALPN istio", is(flow.FactPeerURI, "spiffe://x", flow.FactSNI,
		"outbound_.8080_._.x"), "ALPN istio"},
	{"mutual TLS, SNI outbound_.8080_._.x, ALPN istio", is(flow.FactPeerURI, "spiffe://x", flow.FactSNI,
		"outbound_.8080_._.x", flow.FactALPN, "istio"), ""},
	{"envoy.filters.http.cors, envoy.filters.http.router", is(flow.FactHTTPFilter, "envoy.filters.http.cors"),
		"envoy.filters.http.router"},
	{"cluster " + cluster, is(flow.FactCluster, cluster), ""},
	{"cluster " + cluster, is(flow.FactRoute, "default"), "cluster " + cluster},
	{"one of 2 weighted clusters", is(flow.FactCluster, cluster), "one of 2 weighted clusters"},
	{"one of 3 clusters", is(flow.FactCluster, cluster), "one of 3 clusters"},
	{"301 to http://x/", is(flow.FactStatus, "301"), "to http://x/"},
	{"answered 503 by the proxy", is(flow.FactStatus, "503"), "by the proxy"},
	{"answered 503 by the proxy", is(flow.FactStatus, "503", flow.FactFlags, "FI"), ""},
	{"refused with 400", is(flow.FactStatus, "400"), ""},
	{"no cluster", is(flow.FactFlags, "NC"), ""},
	{"no healthy endpoint", is(flow.FactFlags, "UH"), ""},
	{"172.21.0.1:8080", is(flow.FactEndpoint, "172.21.0.1:8080"), ""},
	{"172.21.0.1:80801", is(flow.FactEndpoint, "172.21.0.1:8080"), "172.21.0.1:80801"},
	{"internal listener connect_originate", is(flow.FactEndpoint, "x"), "internal listener connect_originate"},
	{"172.21.0.1:* → 172.21.0.2:8080", is(flow.FactUpstreamLocal, "172.21.0.1:*", flow.FactUpstreamRemote,
		"172.21.0.2:8080"), ""},
	{"172.21.0.1:* → 172.21.0.2:8080", is(flow.FactUpstreamRemote, "172.21.0.2:8080"), "172.21.0.1:*"},
	{"the application on 172.21.0.2:8080", is(flow.FactPeer, "127.0.0.6:*", flow.FactUpstreamRemote,
		"172.21.0.2:8080"), ""},
	{"inside of CONNECT 10.0.0.1:80 to 10.0.0.2:80", is(flow.FactOriginalDst, "10.0.0.1:80"),
		"inside of CONNECT to 10.0.0.2:80"},
	{"DNAT 10.0.0.1:80 to 10.0.0.2:80", is(flow.FactOriginalDst, "10.0.0.1:80"), "DNAT to 10.0.0.2:80"},
	{"not known", is(flow.FactEndpoint, "172.21.0.1:8080"), "not known"},
	{"denied by envoy.filters.network.rbac", is(flow.FactNetworkFilter, "envoy.filters.network.rbac"), "denied by"},
	{"envoy.filters.network.x closes the connection", is(flow.FactNetworkFilter, "envoy.filters.network.x"),
		"closes the connection"},
	{"TLS handshake fails", is(flow.FactTLSVersion, "none"), "handshake fails"},
	{"refused by a reset of the stream", is(flow.FactCodec, "http2"), "refused by a reset of the stream"},
	{"connection fails", is(flow.FactProcess, "envoy"), "connection fails"},
	{"one of 2 endpoints", is(flow.FactEndpoint, "172.21.0.1:8080"), "one of 2 endpoints"},
	{"envoy.filters.http.fault answers 503", is(flow.FactHTTPFilter, "envoy.filters.http.fault",
		flow.FactStatus, "503"), ""},
	{"envoy.filters.http.fault answers 503", is(flow.FactStatus, "503"), "envoy.filters.http.fault"},
	{"envoy.filters.http.x answers", is(flow.FactHTTPFilter, "envoy.filters.http.x"), "answers"},
	{"the application", is(flow.FactPeer, "127.0.0.6:*"), ""},
	{"dropped", is(flow.FactProcess, "envoy"), "dropped"},
	{"none", is(flow.FactFilter, "x"), "none"},
	{"not captured", is(flow.FactRedirectPort, "15001"), ""},
	{"no listener", is(flow.FactConnections, "1"), "no listener"},
	{"10.0.0.9:30080 → 172.21.0.2:8080", is(flow.FactPeer, "172.21.0.2:8080"), "10.0.0.9:30080"},
	{"not forwarded", is(flow.FactStatus, "404"), "not forwarded"},
	{"a cluster that is not known", is(flow.FactCluster, "x"), "a that is not known"},
	{"TLS terminated", is(flow.FactTLSVersion, "TLS*"), ""},
	{"301 to http://x/?token=hunter2hunter2", is(flow.FactStatus, "301"), "to http://x/?token=«redacted 14 B»"},
}

// is are facts that were seen as expected.
func is(pairs ...string) (all []flow.Evidence) {
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, flow.Evidence{Fact: pairs[i], Expected: pairs[i+1], Seen: pairs[i+1], Agrees: true})
	}
	return all
}

const cluster = "outbound|8080||fortio-server.mark.svc.cluster.local"

// TestClaims goes through the forms of decisions: which words remain that are only inferred when
// some facts were seen.
func TestClaims(t *testing.T) {
	for _, c := range decisions {
		j := &judge{run: flow.Run{Call: flow.Call{URL: "http://fortio-server:8080/"}}}
		if got := j.alone(&flow.Hop{Decision: c.decision}, c.seen); got != c.want {
			t.Errorf("%q when %v was seen: only inferred is %q, want %q", c.decision, c.seen, got, c.want)
		}
	}
}

// TestClaimsOfAllForms holds that the table above has every form in which package
// infer words a decision.
func TestClaimsOfAllForms(t *testing.T) {
	forms := map[string]string{}
	err := filepath.WalkDir("../infer", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Decision" {
					forms[form(n.Value)] = set.Position(n.Pos()).String()
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if field, ok := left.(*ast.SelectorExpr); ok && field.Sel.Name == "Decision" && i < len(n.Rhs) {
						forms[form(n.Rhs[i])] = set.Position(n.Pos()).String()
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(forms, " .*") // a status behind another form
	delete(forms, ".*")  // nothing but the value of a fact
	for form, place := range forms {
		if !slices.ContainsFunc(decisions, func(d struct {
			decision string
			seen     []flow.Evidence
			want     string
		}) bool {
			return regexp.MustCompile("^" + form + "$").MatchString(d.decision)
		}) {
			t.Errorf("%s: no decision of the table reads like %q", place, form)
		}
	}
	if len(forms) < 15 {
		t.Errorf("only %d forms were found", len(forms))
	}
}

// form is an expression of text as a regular expression: what is not constant is anything.
func form(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return regexp.QuoteMeta(text)
	case *ast.BinaryExpr:
		return form(e.X) + form(e.Y)
	case *ast.CallExpr:
		if call, ok := e.Fun.(*ast.SelectorExpr); ok && call.Sel.Name == "Sprintf" {
			return verb.ReplaceAllString(form(e.Args[0]), ".*")
		}
	}
	return ".*"
}

var verb = regexp.MustCompile(`%[a-z]`)
