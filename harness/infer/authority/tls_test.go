package authority

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// upstreamContext is a transport socket that speaks TLS with further fields.
func upstreamContext(more, common string) string {
	return `{name: envoy.transport_sockets.tls, ` +
		`typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, ` +
		more + `common_tls_context: {` + common + `}}}`
}

// certificates asks for the workload's certificate by SDS, as Istio does; the test
// replaces it by its own.
const certificates = `tls_certificate_sds_secret_configs: [{name: default}]`

// sockets are clusters with the transport sockets that decide what an endpoint sees. The names
// tell what they show.
var sockets = []struct{ name, cluster, tag string }{
	{"clear text", "", ""},
	{"own socket with SNI", "transport_socket: " + upstreamContext("sni: a.b, ", ""), ""},
	{"client certificate", "transport_socket: " + upstreamContext("sni: a.b, ", certificates), ""},
	{"ALPN of its own", "transport_socket: " + upstreamContext("", "alpn_protocols: [istio, x]"), ""},
	{"match by the endpoint's tag",
		"transport_socket_matches: [{name: tlsMode-istio, match: {tlsMode: istio}, transport_socket: " +
			upstreamContext("sni: outbound_.8080_._.x, ",
				certificates+", alpn_protocols: [istio-peer-exchange, istio]") +
			"}, {name: tlsMode-disabled, match: {}, transport_socket: {name: raw, typed_config: {'@type': " +
			"type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}]", "tlsMode: istio"},
	{"no tag, so the fallback", "transport_socket_matches: [{name: tlsMode-istio, match: {tlsMode: istio}, " +
		"transport_socket: " + upstreamContext("sni: never, ", "") +
		"}, {name: tlsMode-disabled, match: {}, transport_socket: {name: raw, typed_config: {'@type': " +
		"type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}]", "other: x"},
	{"no tag, so the cluster's own socket", "transport_socket: " + upstreamContext("sni: own, ", "") +
		", transport_socket_matches: [{name: m, match: {tlsMode: istio}, transport_socket: " +
		upstreamContext("sni: never, ", "") + "}]", ""},
	{"HTTP/2 upstream", "transport_socket: " + upstreamContext("sni: h2, ", "") + `,
		typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
		"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
		  explicit_http_config: {http2_protocol_options: {}}}}`, ""},
	{"protocol of the client", "transport_socket: " + upstreamContext("sni: down, ", "") + `,
		typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
		"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
		  use_downstream_protocol_config: {http_protocol_options: {}, http2_protocol_options: {}}}}`, ""},
	{"SNI of the host", "transport_socket: " + upstreamContext("", "") + `,
		typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
		"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
		  upstream_http_protocol_options: {auto_sni: true}, explicit_http_config: {http_protocol_options: {}}}}`, ""},
	{"HTTP/2 in clear text, by the older field", "http2_protocol_options: {}", ""},
	{"SNI of the endpoint", "transport_socket: " + upstreamContext("auto_host_sni: true, ", ""), ""},
	{"SNI of the endpoint before another",
		"transport_socket: " + upstreamContext("sni: a.b, auto_host_sni: true, ", ""), ""},
	{"SNI of a header", "transport_socket: " + upstreamContext("", "") +
		overHTTP("upstream_http_protocol_options: {auto_sni: true, override_auto_sni_header: x-sni}, "+explicitHTTP1),
		""},
	{"SNI of the host, without the port", "transport_socket: " + upstreamContext("sni: a.b, ", "") +
		overHTTP("upstream_http_protocol_options: {auto_sni: true}, "+explicitHTTP1), ""},
	{"names to be checked, and no SNI", "transport_socket: " + upstreamContext("", "") +
		overHTTP("upstream_http_protocol_options: {auto_san_validation: false}, "+explicitHTTP1), ""},
	{"ALPN of a cluster of HTTP/2", "transport_socket: " + upstreamContext("", "alpn_protocols: [x]") +
		overHTTP("explicit_http_config: {http2_protocol_options: {}}"), ""},
	{"the protocol is agreed on", "transport_socket: " + upstreamContext("sni: a.b, ", "") +
		overHTTP("auto_config: {http_protocol_options: {}, http2_protocol_options: {}}"), ""},
	{"ALPN of its own, and the protocol is agreed on", "transport_socket: " + upstreamContext("sni: a.b, ",
		"alpn_protocols: [http/1.1]") +
		overHTTP("auto_config: {http_protocol_options: {}, http2_protocol_options: {}}"), ""},
}

const explicitHTTP1 = "explicit_http_config: {http_protocol_options: {}}"

// overHTTP is a cluster's HttpProtocolOptions.
func overHTTP(fields string) string {
	return `, typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
		"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, ` + fields + `}}`
}

// TestUpstreamTLS compares what the endpoint sees of the upstream connection with what is inferred.
func TestUpstreamTLS(t *testing.T) {
	const base = 45000
	var c config
	for i, s := range sockets {
		name := fmt.Sprint("s", i)
		fields, tag := "", ""
		if s.cluster != "" {
			fields = ", " + s.cluster
		}
		if s.tag != "" {
			tag = ", metadata: {filter_metadata: {envoy.transport_socket_match: {" + s.tag + "}}}"
		}
		c.clusters = append(c.clusters, fmt.Sprintf(`{name: %s, type: STATIC%s, load_assignment: {cluster_name: %s,
			endpoints: [{lb_endpoints: [
			{endpoint: {hostname: endpoint.test, address: {socket_address: {
			address: 127.4.0.%d, port_value: 8080}}}%s}]}]}}`, name, fields, name, i+1, tag))
		c.listeners = append(c.listeners,
			httpListener(base+i, "", vhost("{match: {prefix: /}, route: {cluster: "+name+"}}")))
	}
	d := c.dump(t)
	e, engine := start(t, d, Options{KeepEndpoints: true}), infer.New(d)
	for i, s := range sockets {
		for _, protocol := range []string{"GET host.name:80 /", "http2 GET host.name /",
			"GET host.name / x-sni=of.header"} {
			t.Run(s.name+" "+protocol, func(t *testing.T) {
				req := shorthand(protocol, base+i)
				decision, err := engine.Decide(req)
				if err != nil {
					t.Fatal(err)
				}
				results, err := e.Ask(context.Background(), []flow.Request{req})
				if err != nil {
					t.Fatal(err)
				}
				compareTLS(t, decision, results[0])
			})
		}
	}
}

func compareTLS(t *testing.T, d flow.Decision, r Result) {
	t.Helper()
	if r.Seen == nil || d.UpstreamTLS == nil {
		t.Fatalf("no upstream: inferred %s %s, Envoy %+v %s", d.Outcome, d.Failure, r.Entries, r.Problem)
	}
	mode := flow.Plaintext
	if r.Seen.TLS {
		mode = flow.TLS
	}
	if r.Seen.Peer {
		mode = flow.MTLS
	}
	version := map[string]string{"HTTP/1.1": "HTTP11", "HTTP/2.0": "HTTP2"}[r.Seen.Protocol]
	if mode != d.UpstreamTLS.Mode || r.Seen.SNI != d.UpstreamTLS.SNI ||
		!slices.Equal(r.Seen.ALPN, d.UpstreamTLS.ALPN) || version != d.UpstreamProtocol {
		t.Errorf("inferred %+v %s, the endpoint saw %s %+v", *d.UpstreamTLS, d.UpstreamProtocol, version, *r.Seen)
	}
}

// TestDownstreamTLS holds what a chain that terminates TLS does against Envoy:
// certificates, identity, RBAC.
func TestDownstreamTLS(t *testing.T) {
	server := func(required bool) string {
		return fmt.Sprintf(`transport_socket: {name: envoy.transport_sockets.tls, typed_config: {
			"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext,
			  require_client_certificate: %v,
			common_tls_context: {%s, alpn_protocols: [h2, http/1.1],
			  validation_context_sds_secret_config: {name: ROOTCA}}}}`, required, certificates)
	}
	identity := "forward_client_cert_details: APPEND_FORWARD, set_current_client_cert_details: {uri: true}, "
	only := func(name string) string {
		return identity + rbacRules("action: ALLOW, policies: {p: {permissions: [{any: true}], principals: "+
			"[{authenticated: {principal_name: {exact: '"+name+"'}}}]}}")
	}
	allowed := func(expression string) string {
		return rbacRules("action: ALLOW, policies: {p: {permissions: [{any: true}], " + anyone + ", condition: " +
			asJSON(parsed(expression).Expr) + "}}")
	}
	bySAN := rbacMatcher("matcher_tree: {" + inputOf("envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput") +
		", exact_match_map: {map: {'" + workload + "': " + rbacAction("p", "ALLOW") + "}}}")
	listener := func(port int, chain string) string {
		return fmt.Sprintf(`{name: "l_%d", address: {socket_address: {address: 0.0.0.0, port_value: %d}}, `+
			`listener_filters: [%s], filter_chains: [%s]}`, port, port, tlsInspector, chain)
	}
	c := config{clusters: stubbed("a", "b"), listeners: []string{
		listener(46000, httpChain(server(true), only(workload), vhost(toA))),
		listener(46001, httpChain(server(false), only(workload), vhost(toA))),
		listener(46002, httpChain(server(true), only("spiffe://other"), vhost(toA))),
		listener(46003, httpChain(server(false), "",
			vhost("{match: {prefix: /, tls_context: {presented: true}}, route: {cluster: a}}, {match: {prefix: /}, "+
				"route: {cluster: b}}"))),
		listener(46004, httpChain(server(false), "codec_type: HTTP2",
			`virtual_hosts: [{name: v, domains: ['*'], require_tls: ALL, routes: [`+toA+`]}]`)),
		listener(46005, httpChain(server(false), allowed("connection.mtls"), vhost(toA))),
		listener(46006, httpChain(server(false), allowed("connection.uri_san_peer_certificate == '"+workload+"'"),
			vhost(toA))),
		listener(46007, httpChain(server(false), allowed("connection.requested_server_name == 'a.b'"), vhost(toA))),
		listener(46008, httpChain(server(false),
			allowed("request.scheme == 'https' && has(connection.requested_server_name)"), vhost(toA))),
		listener(46009, httpChain(server(false), bySAN, vhost(toA))),
		listener(46010, httpChain(server(false),
			rbacRules("action: ALLOW, policies: {p: {permissions: [{requested_server_name: {exact: a.b}}], "+
				"principals: [{authenticated: {}}]}}"), vhost(toA))),
		listener(46013, httpChain(server(false), rbacRules("action: ALLOW, policies: {p: {permissions: [{any: "+
			"true}], principals: [{authenticated: {principal_name: {safe_regex: {regex: '.*'}}}}]}}"), vhost(toA))),
		listener(46014, httpChain(server(false), rbacRules("action: DENY, policies: {p: {permissions: [{any: true}], "+
			"principals: [{not_id: {authenticated: {principal_name: {prefix: 'spiffe://'}}}}]}}"), vhost(toA))),
		listener(46011, httpChain(server(false), rbacRules(`action: ALLOW,
			policies: {p: {permissions: [{any: true}], principals: [{custom: {name: m, typed_config: {
			"@type": type.googleapis.com/envoy.extensions.rbac.principals.mtls_authenticated.v3.Config,
			  any_validated_client_certificate: true}}}]}}`), vhost(toA))),
		listener(46012, httpChain(server(false), rbacRules(`action: ALLOW,
			policies: {p: {permissions: [{any: true}], principals: [{custom: {name: m, typed_config: {
			"@type": type.googleapis.com/envoy.extensions.rbac.principals.mtls_authenticated.v3.Config,
			  san_matcher: {san_type: URI, matcher: {exact: '`+workload+`'}}}}}]}}`), vhost(toA))),
	}}
	d := c.dump(t)
	e, engine := start(t, d, Options{}), infer.New(d)
	for port := 46000; port <= 46014; port++ {
		for _, mode := range []string{flow.Plaintext, flow.TLS, flow.MTLS} {
			for _, protocol := range []string{"http", "http2", "tcp"} {
				t.Run(fmt.Sprint(port, " ", mode, " ", protocol), func(t *testing.T) {
					t.Parallel() // Envoy closes some of them only after a second
					req := flow.Request{Direction: flow.Gateway, Address: "10.0.0.1", Port: uint32(port), TLS: mode,
						Protocol: protocol, Authority: "x", SNI: "a.b", Source: "192.0.2.1:40000"}
					if protocol == "http2" && mode != flow.Plaintext {
						req.ALPN = []string{"h2"}
					}
					results, err := e.Ask(context.Background(), []flow.Request{req})
					if err != nil {
						t.Fatal(err)
					}
					decision, err := engine.DecideWith(req, infer.Options{Peer: workload})
					if err != nil {
						t.Fatal(err)
					}
					if all := Differences(req, decision, results[0]); len(all) > 0 {
						t.Errorf("%v\n  Envoy logged %+v %s", all, results[0].Entries, results[0].Problem)
					}
					if seen := results[0].Seen; seen != nil && mode == flow.MTLS && port < 46003 &&
						!strings.Contains(seen.XFCC, "URI="+workload) {
						t.Errorf("x-forwarded-client-cert is %q, and %s is expected in it", seen.XFCC, workload)
					}
				})
			}
		}
	}
}
