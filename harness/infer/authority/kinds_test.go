package authority

import "strings"

// faulty is a fault filter that answers each request, within an ExtensionWithMatcher: where the
// matcher leads to SkipFilter, the request goes on.
func faulty(matcher string) string {
	return delegating("fault.v3.HTTPFault, abort: {http_status: 418, percentage: {numerator: 100}}", matcher)
}

// skipIf is a matcher list whose predicate leads to SkipFilter.
func skipIf(predicate string) string {
	return "matcher_list: {matchers: [{predicate: " + predicate + ", on_match: {action: {name: skip, typed_config: " +
		`{"@type": type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter}}}}]}`
}

// onInput is a predicate on one input: its type, and what it is compared with.
func onInput(input, value string) string {
	return "{single_predicate: {input: {name: i, typed_config: {\"@type\": type.googleapis.com/envoy." + input +
		"}}, value_match: {" + value + "}}}"
}

const (
	uriSan     = "extensions.matching.common_inputs.ssl.v3.UriSanInput"
	dnsSan     = "extensions.matching.common_inputs.ssl.v3.DnsSanInput"
	subject    = "extensions.matching.common_inputs.ssl.v3.SubjectInput"
	serverName = "extensions.matching.common_inputs.network.v3.ServerNameInput"
	absent     = "type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x-absent"
	ofPath     = "type.matcher.v3.HttpRequestHeaderMatchInput, header_name: ':path'"
)

// lambda is a function of AWS in the place of a cluster's service.
const lambda = "arn: 'arn:aws:lambda:us-east-1:123456789012:function:hello'"

// kindRules are kinds of faults that people have reported, which random configurations do not draw.
var kindRules = []rule{
	{"matcher: no certificate has no URI", faulty(skipIf(onInput(uriSan, "prefix: 'spiffe://'"))), vhost(toA),
		[]string{"GET x /"}},
	{"matcher: not, of no certificate", faulty(skipIf("{not_matcher: " + onInput(uriSan, "prefix: 'spiffe://'") + "}")),
		vhost(toA), []string{"GET x /"}},
	{"matcher: not, of no DNS name", faulty(skipIf("{not_matcher: " + onInput(dnsSan, "prefix: a") + "}")), vhost(toA),
		[]string{"GET x /"}},
	{"matcher: not, of no subject", faulty(skipIf("{not_matcher: " + onInput(subject, "prefix: a") + "}")), vhost(toA),
		[]string{"GET x /"}},
	{"matcher: not, of no server name", faulty(skipIf("{not_matcher: " + onInput(serverName, "prefix: a") + "}")),
		vhost(toA), []string{"GET x /"}},
	{"matcher: not, of no header", faulty(skipIf("{not_matcher: " + onInput(absent, "prefix: a") + "}")), vhost(toA),
		[]string{"GET x /"}},
	{"matcher: or, of no certificate and a path",
		faulty(skipIf("{or_matcher: {predicate: [" + onInput(uriSan, "prefix: a") + ", " + onInput(ofPath,
			"exact: /a") + "]}}")), vhost(toA),
		[]string{"GET x /a", "GET x /b"}},
	{"matcher: and, of a path and not of a certificate",
		faulty(skipIf("{and_matcher: {predicate: [" + onInput(ofPath, "exact: /a") + ", {not_matcher: " +
			onInput(uriSan, "prefix: a") + "}]}}")), vhost(toA),
		[]string{"GET x /a", "GET x /b"}},
	{"matcher: and, of not of a certificate and a path",
		faulty(skipIf("{and_matcher: {predicate: [{not_matcher: " + onInput(uriSan, "prefix: a") + "}, " +
			onInput(ofPath, "exact: /a") + "]}}")), vhost(toA),
		[]string{"GET x /a", "GET x /b"}},
	{"matcher: what follows one on a certificate", faulty("matcher_list: {matchers: [{predicate: " + onInput(uriSan,
		"prefix: a") + ", on_match: {matcher: {" + skipIf(onInput(ofPath, "exact: /b")) + "}}}, " +
		strings.TrimPrefix(skipIf(onInput(ofPath, "exact: /a")), "matcher_list: {matchers: [")), vhost(toA),
		[]string{"GET x /a", "GET x /b"}},

	{"host_rewrite_literal of a weighted cluster", "", vhost("{match: {prefix: /}, route: {host_rewrite_literal: " +
		"of.route, weighted_clusters: {clusters: [{name: a, weight: 1, host_rewrite_literal: of.cluster}]}}}"),
		[]string{"GET x /"}},
	{"host_rewrite_literal of the route, where the weighted cluster has none", "",
		vhost("{match: {prefix: /}, route: {host_rewrite_literal: of.route, weighted_clusters: {clusters: [{name: a, " +
			"weight: 1}]}}}"),
		[]string{"GET x /"}},
	{"a header that is kept in one place is joined", filtered("hm", "header_mutation.v3.HeaderMutation",
		"mutations: {request_mutations: [{append: {header: {key: x-forwarded-proto, value: https}}}, {append: "+
			"{header: {key: x-b, value: two}}}]}"),
		vhost("{match: {prefix: /}, redirect: {https_redirect: true}}"),
		[]string{"GET x:80 /", "GET x:443 / x-forwarded-proto=https"}},
	{"a CONNECT has no query to change", filtered("hm", "header_mutation.v3.HeaderMutation",
		"mutations: {query_parameter_mutations: [{append: {record: {key: q, value: '1'}}}]}") + ", upgrade_configs: " +
		"[{upgrade_type: CONNECT}]",
		vhost("{match: {connect_matcher: {}}, route: {cluster: a}}, " + toA),
		[]string{"CONNECT x:80 x:80", "GET x /", "GET x /?a=b"}},
	{"the route cache is cleared for a request that another filter has changed",
		chained(mutating("request_mutations: ["+setting("x-a", "1", "OVERWRITE_IF_EXISTS_OR_ADD")+"]"), clearing),
		vhost(byValue("x-a", "1", "2")), []string{"GET x /", "GET x / x-a=2"}},
	{"a header that one rule removes is not there for the next",
		chained(toMetadata("{header: x-a, on_header_present: {metadata_namespace: ns, key: k}, remove: true}, "+
			"{header: x-a, on_header_present: {metadata_namespace: ns, key: v}, on_header_missing: "+
			"{metadata_namespace: ns, key: v, value: none}}"),
			allowIf(metadataPrincipal("ns", "v", "{string_match: {exact: none}}"))), vhost(toA),
		[]string{"GET x /", "GET x / x-a=1"}},
	{"aws_lambda names path, method and host", filtered("l", "aws_lambda.v3.Config",
		lambda+", payload_passthrough: true, host_rewrite: lambda.host, credentials: {access_key_id: a, "+
			"secret_access_key: b}"), vhost(toA),
		[]string{"GET x /what?ever", "POST x /"}},
	{"aws_request_signing rewrites the host", filtered("s", "aws_request_signing.v3.AwsRequestSigning",
		"service_name: s3, region: us-east-1, host_rewrite: signed.host, credential_provider: {inline_credential: "+
			"{access_key_id: a, secret_access_key: b}}"),
		vhost(toA), []string{"GET x /a"}},
}
