package authority

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// located answers with a location that a format makes, by a direct response (/d) and by a redirect.
func located(format string) string {
	add := "response_headers_to_add: [{header: {key: location, value: " + quoted(format) + "}, append_action: " +
		"OVERWRITE_IF_EXISTS_OR_ADD}]"
	return vhost("{match: {prefix: /d}, direct_response: {status: 302}, " + add +
		"}, {match: {prefix: /r}, redirect: {path_redirect: /p}, " + add +
		"}, {match: {prefix: /}, route: {cluster: a, path_rewrite: " + quoted("/"+format) + "}}")
}

const asked = "%REQUESTED_SERVER_NAME% %REQUESTED_SERVER_NAME(SNI_ONLY)% %REQUESTED_SERVER_NAME(SNI_FIRST)% " +
	"%REQUESTED_SERVER_NAME(HOST_FIRST:ORIG)% %REQUESTED_SERVER_NAME(HOST_FIRST:HOST)% " +
	"%REQUESTED_SERVER_NAME(SNI_FIRST:ORIG_OR_HOST)%"

// settledRules are formats that dump and request decide, at each place where one is filled, and
// answers whose headers the route makes.
var settledRules = []rule{
	{"format: which host was asked for", "", located(strings.ReplaceAll(asked, " ", "|")),
		[]string{"GET x.test:80 /d", "GET x.test:80 /r x-envoy-original-host=o.test", "GET x /n"}},
	{"format: the query", "", located("x%QUERY_PARAMS(ORIG)%|%QUERY_PARAM(b)%"),
		[]string{"GET x /d?b=c&a=2&b=3", "GET x /d", "GET x /d?", "GET x /r?b=c", "GET x /p?b=c"}},
	{"format: networks of addresses", "", located("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)%|" +
		"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(33)%|%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(0)%"),
		[]string{"GET x /d", "GET x /r", "GET x /n"}},
	{"format: an answer that is made", "", located("x%RESP(location)%|%RESP(:status)%|%RESP(server?content-type)%|" +
		"%RESPONSE_CODE_DETAILS%|%RESPONSE_CODE%|%RESPONSE_FLAGS%|%UPSTREAM_CLUSTER%|%CLUSTER_METADATA(a:b)%"),
		[]string{"GET x /d", "GET x /r", "GET x /n"}},
	{"format: what there is not yet", "", located("x%UPSTREAM_HOST_NAME%%UPSTREAM_REMOTE_PORT%%UPSTREAM_LOCAL_PORT%" +
		"%UPSTREAM_SERVER_NAME%%UPSTREAM_TLS_CIPHER%%UPSTREAM_PEER_SUBJECT%%UPSTREAM_HOSTS_ATTEMPTED%" +
		"%CONNECTION_TERMINATION_DETAILS%%DOWNSTREAM_TRANSPORT_FAILURE_REASON%%ACCESS_LOG_TYPE%" +
		"%UPSTREAM_REQUEST_ATTEMPT_COUNT%"), []string{"GET x /d", "GET x /r", "GET x /n"}},
	formatted("what a filter does not know yet", "%VIRTUAL_CLUSTER_NAME%%UPSTREAM_HOST_NAME%%UPSTREAM_CLUSTER%"+
		"%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "c0", "GET x /"),
}

// runtimeRules are requests that a key of the runtime decides, or a policy that it bounds.
var runtimeRules = []struct {
	runtime string
	rules   []rule
}{
	{"http_connection_manager: {normalize_path: 100, path_with_escaped_slashes_action: 4}, upstream: " +
		"{maintenance_mode: {kept: 100, a: 0}, use_retry: 0}", []rule{
		{"normalize_path by the runtime", "", vhost(toA), each("GET x ", "/a/../b", "/%41", "/a%00", "/a%2fb")},
		{"normalize_path before the runtime", "normalize_path: false", vhost(toA), each("GET x ", "/a/../b", "/a%00")},
		{"escaped slashes before the runtime", "path_with_escaped_slashes_action: KEEP_UNCHANGED", vhost(toA),
			each("GET x ", "/a%2fb")},
		{"maintenance", "", vhost("{match: {prefix: /}, route: {cluster: kept}}"), []string{"GET x /",
			"grpc POST x /", "http2 GET x /"}},
		{"maintenance of a cluster that drops", "", vhost("{match: {prefix: /}, route: {cluster: dropped}}"),
			[]string{"GET x /", "grpc POST x /"}},
		{"no maintenance", "", vhost(toA), []string{"GET x /"}},
		{"dropped in millionths", "", vhost("{match: {prefix: /}, route: {cluster: undropped}}"), []string{"GET x /"}},
	}},
	{"http_connection_manager: {path_with_escaped_slashes_action: 2}, load_balancing_policy: " +
		"{drop_overload_limit: 0}", []rule{
		{"escaped slashes rejected by the runtime", "", vhost(toA), each("GET x ", "/a%2fb", "/a/../b")},
		{"dropped up to a limit of none", "", vhost("{match: {prefix: /}, route: {cluster: dropped}}"),
			[]string{"GET x /"}},
	}},
	{"http_connection_manager: {path_with_escaped_slashes_action_enabled: 0, normalize_path: 0}", []rule{
		{"escaped slashes turned off by the runtime", "path_with_escaped_slashes_action: REJECT_REQUEST", vhost(toA),
			each("GET x ", "/a%2fb", "/a/../b")},
	}},
}

// dropping is a cluster that drops a part of its requests.
func dropping(name, percentage string) string {
	return strings.Replace(stubbed(name)[0], "endpoints:", "policy: {drop_overloads: [{category: c, drop_percentage: {"+
		percentage+"}}]}, endpoints:", 1)
}

var droppers = append(stubbed("a", "kept"), dropping("dropped", "numerator: 100"),
	dropping("undropped", "numerator: 0, denominator: MILLION"),
	dropping("halved", "numerator: 500000, denominator: MILLION"))

// TestRuntime holds requests that the runtime decides against Envoy, one for each runtime.
func TestRuntime(t *testing.T) {
	const base = 20000
	for _, r := range runtimeRules {
		c := config{clusters: droppers, runtime: r.runtime}
		var requests []flow.Request
		for i, rule := range r.rules {
			c.listeners = append(c.listeners, httpListener(base+i, rule.hcm, rule.routes))
			for _, text := range rule.requests {
				requests = append(requests, shorthand(text, base+i))
			}
		}
		d := c.dump(t)
		engine := infer.New(d)
		for i, text := range judge(t, start(t, d, Options{}), engine, requests) {
			if text != "" {
				t.Errorf("%s: %s", r.runtime, text)
			}
			if decision, _ := engine.Decide(requests[i]); decision.Certainty != flow.Certain {
				t.Errorf("%s: %+v depends on %v", r.runtime, requests[i], decision.Depends)
			}
		}
	}
}

// TestDropsByChance holds that a cluster which drops half of its requests leaves two outcomes, and
// that Envoy has both.
func TestDropsByChance(t *testing.T) {
	const port, times = 20000, 60 // all alike once in 2^59 runs
	c := config{clusters: droppers, listeners: []string{httpListener(port, "",
		vhost("{match: {prefix: /}, route: {cluster: halved}}"))}}
	d := c.dump(t)
	req := shorthand("GET x /", port)
	decision, err := infer.New(d).Decide(req)
	if err != nil || decision.Certainty != flow.Chance || len(decision.Possible) != 2 {
		t.Fatalf("%v: %s %+v", err, decision.Certainty, decision.Possible)
	}
	results := askAll(t, d, slices.Repeat([]flow.Request{req}, times))
	want, seen := map[string]bool{}, map[string]bool{}
	for _, p := range decision.Possible {
		want[fmt.Sprintf("%t %s", p.Outcome == flow.Forwarded, p.Flag)] = true
	}
	for _, r := range results {
		seen[fmt.Sprintf("%t %s", r.Seen != nil, strings.Trim(lastEntry(r).Flags, "-"))] = true
	}
	if !maps.Equal(want, seen) {
		t.Errorf("inferred %v, Envoy %v", want, seen)
	}
}

// TestLocationsChangedLater holds that a location is open which Envoy changes after the route has
// made it: of each it sends /later.
func TestLocationsChangedLater(t *testing.T) {
	const port = 20000
	routes := vhost(answers + ", {match: {prefix: /r}, redirect: {path_redirect: /p}}")
	filter := [3]string{"hm", "header_mutation.v3.HeaderMutation", "mutations: {response_mutations: [" +
		setting("Location", "/later", "OVERWRITE_IF_EXISTS_OR_ADD") + "]}"}
	c := config{clusters: stubbed("a"), listeners: []string{httpListener(port, chained(filter), routes),
		httpListener(port+1, replyMappers(statusMapper), routes)}}
	d := c.dump(t)
	requests := []flow.Request{shorthand("GET x /r", port), shorthand("GET x /d", port),
		shorthand("GET x /r", port+1), shorthand("GET x /d", port+1)}
	results := askAll(t, d, requests)
	engine := infer.New(d)
	for i, req := range requests {
		decision, err := engine.Decide(req)
		if err != nil || decision.Certainty != flow.Depends || results[i].Location != "/later" {
			t.Errorf("%+v: %v, %s, Envoy sends %q", req, err, decision.Certainty, results[i].Location)
		}
	}
}

// statusMapper adds a location to each answer of Envoy's own that is no success.
const statusMapper = "{filter: {status_code_filter: {comparison: {op: GE, value: {default_value: 300, runtime_key: " +
	"k}}}}, headers_to_add: [{header: {key: location, value: /later}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]}"

// TestInternalRedirects holds that the route says which answers of the upstream Envoy follows.
func TestInternalRedirects(t *testing.T) {
	const port = 20000
	c := config{clusters: stubbed("a", "b")}
	rows := []struct{ policy, code string }{
		{"", "302"}, {"internal_redirect_policy: {}", "302"}, {"internal_redirect_policy: {}", "303"},
		{"internal_redirect_policy: {redirect_response_codes: [303, 307]}", "303"},
		{"internal_redirect_policy: {redirect_response_codes: [303, 307]}", "302"},
	}
	var requests []flow.Request
	for i, row := range rows {
		action := strings.TrimSuffix("cluster: a, "+row.policy, ", ")
		c.listeners = append(c.listeners, httpListener(port+i, "", vhost("{match: {prefix: /stub/}, route: {"+action+
			"}}, {match: {prefix: /}, route: {cluster: b}}")))
		requests = append(requests, shorthand("GET x /stub/"+row.code+"/location/http://x/next", port+i))
	}
	d := c.dump(t)
	results := askAll(t, d, requests)
	engine := infer.New(d)
	for i, row := range rows {
		decision, err := engine.Decide(requests[i])
		if err != nil {
			t.Fatal(err)
		}
		said := slices.ContainsFunc(decision.Hops, func(h flow.Hop) bool {
			_, after, ok := strings.Cut(h.Why, "an answer of ")
			codes, _, _ := strings.Cut(after, " by the upstream is followed")
			return ok && slices.Contains(strings.Split(codes, ", "), row.code)
		})
		if followed := results[i].Seen != nil && results[i].Seen.Path == "/next"; said != followed {
			t.Errorf("%s of %q: said to be followed %t, Envoy %+v", row.code, row.policy, said, results[i])
		}
	}
}
