package authority

import "fmt"

// byHeader routes by what a header holds when the route is chosen: one of the values to cluster a,
// any other to b, none to c.
func byHeader(name string, values ...string) string {
	routes := ""
	for _, v := range values {
		routes += fmt.Sprintf("{match: {prefix: /, headers: [{name: %s, string_match: {exact: '%s'}}]}, route: "+
			"{cluster: a}}, ", name, v)
	}
	return vhost(routes + fmt.Sprintf("{match: {prefix: /, headers: [{name: %s, present_match: true}]}, route: "+
		"{cluster: b}}, {match: {prefix: /}, route: {cluster: c}}", name))
}

// byClient allows requests of one client only.
func byClient(kind, prefix string) string {
	return rbacRules(fmt.Sprintf("action: ALLOW, policies: {p: {permissions: [{any: true}], principals: [{%s: "+
		"{address_prefix: '%s', prefix_len: 32}}]}}", kind, prefix))
}

// clientRules are what the connection manager makes of a request's client before a route is chosen.
// Requests come from 192.0.2.1.
var clientRules = []rule{
	{"x-forwarded-for names the client where use_remote_address is not set",
		byClient("remote_ip", "203.0.113.9"), vhost(toA),
		[]string{"GET x /", "GET x / x-forwarded-for=203.0.113.9", "GET x / x-forwarded-for=203.0.113.9,198.51.100.1",
			"GET x / x-forwarded-for=198.51.100.1,203.0.113.9",
			"GET x / x-forwarded-for=203.0.113.9:80", "GET x / x-forwarded-for=nonsense", "GET x / x-forwarded-for=",
			"GET x / x-forwarded-for=203.0.113.9,"}},
	{"the connection's own source is what x-forwarded-for does not change", byClient("source_ip", "192.0.2.1"),
		vhost(toA), []string{"GET x /", "GET x / x-forwarded-for=203.0.113.9"}},
	{"xff_num_trusted_hops without use_remote_address", "xff_num_trusted_hops: 1, " + byClient("remote_ip",
		"203.0.113.9"), vhost(toA),
		[]string{"GET x /", "GET x / x-forwarded-for=203.0.113.9", "GET x / x-forwarded-for=203.0.113.9,198.51.100.1",
			"GET x / x-forwarded-for=1.1.1.1,203.0.113.9,198.51.100.1"}},
	{"use_remote_address takes the peer", "use_remote_address: true, " + byClient("remote_ip", "192.0.2.1"), vhost(toA),
		[]string{"GET x /", "GET x / x-forwarded-for=203.0.113.9"}},
	{"use_remote_address with trusted hops",
		"use_remote_address: true, xff_num_trusted_hops: 1, " + byClient("remote_ip", "203.0.113.9"), vhost(toA),
		[]string{"GET x /", "GET x / x-forwarded-for=203.0.113.9", "GET x / x-forwarded-for=203.0.113.9,198.51.100.1",
			"GET x / x-forwarded-for=198.51.100.1,203.0.113.9"}},
	{"x-forwarded-for is appended to", "use_remote_address: true", byHeader("x-forwarded-for", "192.0.2.1",
		"203.0.113.9,192.0.2.1", "203.0.113.9, 192.0.2.1"),
		[]string{"GET x /", "GET x / x-forwarded-for=203.0.113.9", "GET x / x-forwarded-for="}},
	{"skip_xff_append", "use_remote_address: true, skip_xff_append: true", byHeader("x-forwarded-for", "203.0.113.9"),
		[]string{"GET x /", "GET x / x-forwarded-for=203.0.113.9"}},
	{"x-forwarded-for is left alone", "", byHeader("x-forwarded-for", "203.0.113.9"),
		[]string{"GET x /", "GET x / x-forwarded-for=203.0.113.9"}},
	{"x-envoy-internal is not taken from the request", "", byHeader("x-envoy-internal", "true"),
		[]string{"GET x / x-envoy-internal=true", "GET x /"}},
	{"no address is internal by default", "", byHeader("x-envoy-internal", "true"),
		[]string{"GET x / x-forwarded-for=10.0.0.1", "GET x / x-forwarded-for=127.0.0.1",
			"GET x / x-forwarded-for=192.168.0.1"}},
	{"internal_address_config", "internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}",
		byHeader("x-envoy-internal", "true"),
		[]string{"GET x /", "GET x / x-forwarded-for=10.0.0.1", "GET x / x-forwarded-for=11.0.0.1",
			"GET x / x-forwarded-for=10.0.0.2,10.0.0.1", "GET x / x-forwarded-for=10.0.0.1 x-envoy-internal=false"}},
	{"internal_address_config with use_remote_address", "use_remote_address: true, internal_address_config: " +
		"{cidr_ranges: [{address_prefix: 192.0.2.0, prefix_len: 24}]}", byHeader("x-envoy-internal", "true"),
		[]string{"GET x /", "GET x / x-forwarded-for=192.0.2.1"}},
	{"internal_address_config with unix_sockets only", "internal_address_config: {unix_sockets: " +
		"true}", byHeader("x-envoy-internal", "true"), []string{"GET x / x-forwarded-for=10.0.0.1",
		"GET x / x-forwarded-for=172.16.0.1", "GET x / x-forwarded-for=172.32.0.1",
		"GET x / x-forwarded-for=192.168.1.1", "GET x / x-forwarded-for=127.0.0.1", "GET x / x-forwarded-for=127.0.0.2",
		"GET x / x-forwarded-for=::1", "GET x / x-forwarded-for=fd00::1", "GET x / x-forwarded-for=fe80::1",
		"GET x / x-forwarded-for=fc00::1", "GET x / x-forwarded-for=8.8.8.8"}},
	{"require_tls EXTERNAL_ONLY spares requests from inside",
		"internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}",
		"virtual_hosts: [{name: v, domains: ['*'], require_tls: EXTERNAL_ONLY, routes: [" + toA + "]}]",
		[]string{"GET x /", "GET x / x-forwarded-for=10.0.0.1", "GET x / x-forwarded-for=11.0.0.1",
			"GET x / x-envoy-internal=true"}},
	{"x-envoy-external-address at the edge", "use_remote_address: true", byHeader("x-envoy-external-address",
		"192.0.2.1"), []string{"GET x /", "GET x / x-envoy-external-address=1.1.1.1"}},
	{"x-envoy-external-address behind the edge", "", byHeader("x-envoy-external-address", "192.0.2.1"),
		[]string{"GET x /", "GET x / x-envoy-external-address=1.1.1.1"}},
	{"headers of the router from outside", "", byHeader("x-envoy-retry-on", "5xx"),
		[]string{"GET x / x-envoy-retry-on=5xx"}},
	{"headers of the router from inside", "internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, " +
		"prefix_len: 8}]}", byHeader("x-envoy-retry-on", "5xx"),
		[]string{"GET x / x-envoy-retry-on=5xx", "GET x / x-envoy-retry-on=5xx x-forwarded-for=10.1.1.1"}},
	{"headers of a downstream service at the edge", "use_remote_address: true",
		byHeader("x-envoy-downstream-service-cluster", "c"), []string{"GET x / x-envoy-downstream-service-cluster=c"}},
	{"headers of a downstream service behind the edge", "", byHeader("x-envoy-downstream-service-cluster", "c"),
		[]string{"GET x / x-envoy-downstream-service-cluster=c"}},
	{"internal_only_headers", "internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}",
		"internal_only_headers: [x-mine], " + byHeader("x-mine", "1"),
		[]string{"GET x / x-mine=1", "GET x / x-mine=1 x-forwarded-for=10.0.0.1"}},
	{"connection and te are the connection's own", "", byHeader("connection", "close"),
		[]string{"GET x /", "GET x / connection=keep-alive"}},
	{"te", "", byHeader("te", "trailers"), []string{"GET x / te=trailers", "GET x / te=gzip",
		"http2 GET x / te=trailers"}},
	{"keep-alive", "", byHeader("keep-alive", "timeout"), []string{"GET x / keep-alive=timeout"}},
	{"x-forwarded-client-cert of clear text", "", byHeader("x-forwarded-client-cert", "x"),
		[]string{"GET x / x-forwarded-client-cert=x"}},
	{"x-forwarded-client-cert forwarded always", "forward_client_cert_details: ALWAYS_FORWARD_ONLY",
		byHeader("x-forwarded-client-cert", "x"), []string{"GET x / x-forwarded-client-cert=x"}},
	{"x-forwarded-client-cert forwarded on mutual TLS only", "forward_client_cert_details: FORWARD_ONLY",
		byHeader("x-forwarded-client-cert", "x"), []string{"GET x / x-forwarded-client-cert=x"}},
	{"x-request-id is made", "", byHeader("x-request-id", "mine"), []string{"GET x /", "GET x / x-request-id=mine"}},
	{"x-request-id is made anew at the edge", "use_remote_address: true", byHeader("x-request-id", "mine"),
		[]string{"GET x /", "GET x / x-request-id=mine"}},
	{"x-request-id is preserved at the edge", "use_remote_address: true, preserve_external_request_id: true",
		byHeader("x-request-id", "mine"), []string{"GET x /", "GET x / x-request-id=mine"}},
	{"x-request-id is not made", "generate_request_id: false", byHeader("x-request-id", "mine"),
		[]string{"GET x /", "GET x / x-request-id=mine"}},
	{
		"scheme from x-forwarded-proto", "", byHeader("':scheme'", "https"),
		[]string{"GET x /", "GET x / x-forwarded-proto=https", "GET x / x-forwarded-proto=HTTPS",
			"GET x / x-forwarded-proto=ftp", "http2 GET x / x-forwarded-proto=https"},
	},
	{"scheme of an absolute URL", "", byHeader("':scheme'", "https"), []string{"GET x https://abs.host/p",
		"GET x http://abs.host/p", "GET x http://abs.host/p x-forwarded-proto=https"}},
	{"x-forwarded-proto", "", byHeader("x-forwarded-proto", "http"),
		[]string{"GET x /", "GET x / x-forwarded-proto=https", "GET x https://abs.host/p"}},
	{"x-forwarded-proto at the edge with trusted hops", "use_remote_address: true, xff_num_trusted_hops: 1",
		byHeader("x-forwarded-proto", "http"), []string{"GET x /", "GET x / x-forwarded-proto=https"}},
	{"scheme_header_transformation", "scheme_header_transformation: {scheme_to_overwrite: https}",
		byHeader("':scheme'", "https"), []string{"GET x /", "http2 GET x /"}},
	{"scheme_header_transformation and x-forwarded-proto", "scheme_header_transformation: {scheme_to_overwrite: https}",
		byHeader("x-forwarded-proto", "https"), []string{"GET x /", "GET x / x-forwarded-proto=http"}},
	{"add_user_agent", "add_user_agent: true", byHeader("user-agent", "mine"),
		[]string{"GET x /", "GET x / user-agent=mine"}},
	{"add_user_agent and x-envoy-downstream-service-cluster", "add_user_agent: true",
		byHeader("x-envoy-downstream-service-cluster", "authority"), []string{"GET x /", "GET x / user-agent=mine"}},
	{"x-forwarded-port", "append_x_forwarded_port: true, use_remote_address: true", byHeader("x-forwarded-port", "80"),
		[]string{"GET x /", "GET x / x-forwarded-port=80"}},
	{"x-forwarded-host", "", byHeader("x-forwarded-host", "x"), []string{"GET x /"}},
	{"x-envoy-original-path", "", byHeader("x-envoy-original-path", "/q"),
		[]string{"GET x / x-envoy-original-path=/q"}},
	{
		"referer", "", byHeader("referer", "http://ok/"), []string{
			"GET x / referer=http://ok/", "GET x / referer=nonsense", "GET x / " +
				"referer=http://ok/#frag", "GET x / referer=/path", "GET x / referer=*", "GET x / referer=a:80",
			"GET x / referer=http://", "GET x / referer=http://u:p@ok/", "GET x / referer=ftp://ok/",
			"GET x / referer=nonsense/x", "GET x / referer=http://ok:99999/", "GET x / referer=://",
			"GET x / referer=http://ok/a%20b?c", "GET x / referer=http://ok/a%7Cb", "GET x / referer=about:blank",
			"GET x / referer=android-app://com.x/",
		},
	},
	{"server_name and via", "via: envoy", byHeader("via", "envoy"), []string{"GET x /", "GET x / via=other"}},
	{"via is appended", "via: envoy", byHeader("via", "other, envoy"), []string{"GET x / via=other"}},
	{"content-length", "", byHeader("content-length", "0"), []string{"GET x / content-length=0"}},
	{"expect", "", byHeader("expect", "100-continue"), []string{"GET x / expect=100-continue"}},
	{"proxy-connection", "", byHeader("proxy-connection", "close"), []string{"GET x / proxy-connection=close"}},
	{"header names with underscores", "common_http_protocol_options: {headers_with_underscores_action: DROP_HEADER}",
		byHeader("x_u", "1"), []string{"GET x / x_u=1"}},
	{
		"header names with underscores refused", "common_http_protocol_options: {headers_with_underscores_action: " +
			"REJECT_REQUEST}", byHeader("x_u", "1"), []string{"GET x / x_u=1", "http2 GET x / x_u=1"},
	},
}
