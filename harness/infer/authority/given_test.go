package authority

// hsToken is {"iss":"test","role":"beta","n":7,"o":{"p":"q"},"exp":4102444800,"i":5} signed with
// HS256 by "secret-secret-secret-secret-1234"; the signature of hsForged is another's.
const (
	hsClaims = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0." +
		"eyJpc3MiOiAidGVzdCIsICJyb2xlIjogImJldGEiLCAibiI6IDcsICJvIjogeyJwIjogInEifSwgImV4cCI6IDQxMDI0NDQ4MDAs" +
		"ICJpIjogNX0"
	hsToken  = hsClaims + ".oeSudmdPo2hQjplZzpSQWcct3Qh-pMNHD3DMLJHDXKs"
	hsForged = hsClaims + ".WOUKbeFSTnbSPAnT59P7o06aory8pFT46POmpwvJQLw"
)

func hsProvider(more string) string {
	return `providers: {p: {issuer: test,
		local_jwks: {inline_string: '{"keys":[{"kty":"oct","alg":"HS256","kid":"k1",` +
		`"k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"}]}'}` +
		more + `}},
		rules: [{match: {prefix: /}, requires: {provider_name: p}}]`
}

func jwtHS(more string) string {
	return filtered("jwt", "jwt_authn.v3.JwtAuthentication", hsProvider(more))
}

// delegating is a filter within an ExtensionWithMatcher.
func delegating(inner, matcher string) string {
	return `http_filters: [{name: md, ` +
		`typed_config: {"@type": type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher, ` +
		`extension_config: {name: inner, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.` +
		inner +
		`}}, xds_matcher: {` + matcher + `}}},
		{name: envoy.filters.http.router,
		  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]`
}

func headerTree(name string, entries string) string {
	return `matcher_tree: {input: {name: i,
		typed_config: {"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput,
		  header_name: ` + name + `}}, exact_match_map: {map: {` + entries + `}}}`
}

func compositeRBAC() string {
	return delegating("composite.v3.Composite", headerTree("x-c", `deny: {action: {name: a,
		typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.composite.v3.ExecuteFilterAction,
		  typed_config: {name: r, typed_config: {
			"@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC,
			rules: {}}}}}}`))
}

func skipping() string {
	return delegating("rbac.v3.RBAC, rules: {}", headerTree("x-s", `'1': {action: {name: s,
		typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter}}}`))
}
