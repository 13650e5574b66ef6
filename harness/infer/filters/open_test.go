package filters

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// passing is a way on which nothing is known and everything goes on.
type passing struct{ headers *match.Headers }

func (passing) Holds(t match.Truth, _ flow.What, _ configdump.Value, _ string, _ ...any) bool {
	return t.Yes() || t.Open()
}
func (passing) Compared(string)                                              {}
func (passing) ComparedHeader(string)                                        {}
func (passing) Lot(flow.What, configdump.Value, uint64, uint64, string) bool { return false }
func (passing) May(flow.What, string, string, configdump.Value) bool         { return false }
func (p passing) Format(text, _ string) (string, bool)                       { return text, true }
func (passing) Fraction(configdump.Value) (uint64, uint64)                   { return 100, 100 }
func (passing) Flag(configdump.Value, bool) bool                             { return true }
func (passing) Runtime(string) configdump.Value                              { return configdump.Value{} }
func (passing) Match(configdump.Value) bool                                  { return true }
func (passing) Reachable(string) bool                                        { return true }
func (passing) Labelled(string, string, string) bool                         { return true }
func (passing) Dynamic(string) bool                                          { return false }
func (passing) Open(flow.What, string, string, configdump.Value)             {}
func (passing) Healthy(string) (float64, bool)                               { return 100, true }

// TestOpenStaysOpen holds that what is made of an open value is open: a filter that is computed
// knows no more of a header than what the filter before has left of it.
func TestOpenStaysOpen(t *testing.T) {
	const key = "api_key_auth.v3.ApiKeyAuth"
	for _, tc := range []struct {
		name, kind, config string
		opened             string // the header that a filter before may have changed
		open, known        []string
	}{
		{"a query that is changed", "header_mutation.v3.HeaderMutation",
			"mutations: {query_parameter_mutations: [{append: {record: {key: q, value: '1'}}}]}", ":path",
			[]string{":path"}, nil},
		{"added where absent", "header_mutation.v3.HeaderMutation",
			"mutations: {request_mutations: [{append: {header: {key: x-a, value: b}, append_action: ADD_IF_ABSENT}}]}",
			"x-a", []string{"x-a"}, nil},
		{"replaced where there", "header_mutation.v3.HeaderMutation", "mutations: {request_mutations: [{append: " +
			"{header: {key: x-b, value: b}, append_action: OVERWRITE_IF_EXISTS}}]}", "x-b", []string{"x-b"}, nil},
		{"appended", "header_mutation.v3.HeaderMutation",
			"mutations: {request_mutations: [{append: {header: {key: x-a, value: b}}}]}", "x-a", []string{"x-a"}, nil},
		{"replaced in any case", "header_mutation.v3.HeaderMutation", "mutations: {request_mutations: [{append: " +
			"{header: {key: x-a, value: b}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}]}", "x-a", nil,
			[]string{"x-a"}},
		{"removed", "header_mutation.v3.HeaderMutation", "mutations: {request_mutations: [{remove: x-b}]}", "x-b", nil,
			[]string{"x-b"}},
		{"the user", "basic_auth.v3.BasicAuth", "users: {inline_string: x}, forward_username_header: x-user",
			"authorization", []string{"x-user"}, nil},
		{"the client of a key", key, "credentials: [{key: k, client: c}], key_sources: [{header: x-b}], forwarding: " +
			"{header: x-client}", "x-b", []string{"x-client"}, nil},
		{
			"a cookie that is hidden", key, "credentials: [{key: k, client: c}], key_sources: [{cookie: k}], " +
				"forwarding: {hide_credentials: true}", "cookie", []string{"cookie"}, nil,
		},
		{"a CDN's own mark", "cdn_loop.v3.CdnLoopConfig", "cdn_id: me, max_allowed_occurrences: 1", "cdn-loop",
			[]string{"cdn-loop"}, nil},
		{"claims of a token", "jwt_authn.v3.JwtAuthentication", "providers: {p: {claim_to_headers: [{header_name: " +
			"x-c, claim_name: c}], forward_payload_header: x-p}}, rules: [{match: {prefix: /}, requires: " +
			"{provider_name: p}}]",
			"authorization", []string{"x-c", "x-p"}, nil},
		{"claims of a token in a cookie", "jwt_authn.v3.JwtAuthentication", "providers: {p: {from_cookies: [t], " +
			"claim_to_headers: [{header_name: x-c, claim_name: c}]}}, rules: [{match: {prefix: /}, requires: " +
			"{provider_name: p}}]",
			"cookie", []string{"x-c"}, nil},
		{"gRPC-Web", "grpc_web.v3.GrpcWeb", "", "content-type", []string{"content-type"}, nil},
		{"gRPC in reverse", "grpc_http1_reverse_bridge.v3.FilterConfig", "content_type: x/y", "content-type",
			[]string{"content-type", "accept"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const kind = "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"
			dump, err := configdump.Parse([]byte(`configs: [{"@type": ` + kind + `, bootstrap: {` + tc.config + `}}]`))
			if err != nil {
				t.Fatal(err)
			}
			h := match.NewHeaders(map[string]string{":path": "/a?q=2", ":method": "GET", "x-b": "k",
				"content-type": "application/grpc"})
			cause := match.Cause{On: "filter before", Why: "filter before may have changed it"}
			h.Loosen(tc.opened, cause)
			r := &Request{Headers: h, Metadata: &match.Metadata{}, State: &match.Metadata{}, Routed: true,
				Forwards: true, Way: passing{h}}
			f := &Filter{Name: "f", Kind: httpPrefix + tc.kind, Config: dump.Bootstrap(),
				Late: func() []configdump.Value {
					return nil
				}}
			if result, ok := Run(r, f); !ok || result.Reply != nil {
				t.Fatalf("%v %+v", ok, result.Reply)
			}
			for _, name := range tc.open {
				if c, open := h.Open(name); !open || fmt.Sprint(c) == "" {
					t.Errorf("%s is taken for known", name)
				}
			}
			for _, name := range tc.known {
				if _, open := h.Open(name); open {
					t.Errorf("%s is open, and the filter has set it", name)
				}
			}
		})
	}
}

// TestOpenOrigin holds that a filter for requests from one side knows no side of a request of which
// a filter before may have said another.
func TestOpenOrigin(t *testing.T) {
	for _, tc := range []struct {
		kind string // request_type
		open bool
	}{{"", false}, {"INTERNAL", true}, {"EXTERNAL", true}} {
		const message = "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"
		config := func(kind string) configdump.Value {
			if kind != "" {
				kind = "request_type: " + kind
			}
			dump, err := configdump.Parse([]byte(`configs: [{"@type": ` + message + `, bootstrap: {` + kind + `}}]`))
			if err != nil {
				t.Fatal(err)
			}
			return dump.Bootstrap()
		}
		h := match.NewHeaders(map[string]string{":path": "/"})
		h.Loosen("x-envoy-internal", match.Cause{On: "filter before", Why: "filter before may have changed it"})
		r := &Request{Headers: h, Way: client{passing{h}}}
		f := &Filter{Name: "f", Kind: httpPrefix + "ip_tagging.v3.IPTagging", Config: config(tc.kind)}
		if _, ok := Run(r, f); ok == tc.open {
			t.Errorf("ip_tagging of type %q is computed: %v", tc.kind, ok)
		}
		f.Config = config(strings.ToLower(tc.kind))
		if got := r.asked(f).Open(); got != tc.open {
			t.Errorf("whether a service of type %q is asked is open: %v", tc.kind, got)
		}
	}
}

// client is a way on which the client's address is known.
type client struct{ passing }

func (client) Format(string, string) (string, bool) { return "192.0.2.1", true }
