package authority

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// waiting is a route to cluster a with more fields of its action.
func waiting(fields string) string {
	return vhost("{match: {prefix: /}, route: {cluster: a, " + fields + "}}")
}

const failing = "GET x /stub/503 "

// respecting is a router that takes the time which the proxy before has told.
const respecting = fromInside + ", http_filters: [{name: envoy.filters.http.router, typed_config: {'@type': " +
	"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, respect_expected_rq_timeout: true}}]"

// patienceRules are how long Envoy waits and how often it tries.
var patienceRules = []rule{
	{"no timeout is named", fromInside, vhost(toA), each("GET x / x-envoy-", "foo=1", "upstream-rq-timeout-ms=500",
		"upstream-rq-timeout-ms=0", "upstream-rq-timeout-ms=abc", "upstream-rq-timeout-ms=-1",
		"upstream-rq-timeout-ms=20000", "upstream-rq-per-try-timeout-ms=400",
		"upstream-rq-per-try-timeout-ms=15000", "upstream-rq-per-try-timeout-ms=abc",
		"expected-rq-timeout-ms=700 x-envoy-upstream-rq-timeout-ms=900")},
	{"a timeout", "use_remote_address: true", waiting("timeout: 3s"), []string{"GET x /",
		"GET x / x-envoy-upstream-rq-timeout-ms=500", "grpc POST x / grpc-timeout=1S"}},
	{"a timeout of 0", "", waiting("timeout: 0s"), []string{"GET x /"}},
	{"tries have a time", "", waiting("timeout: 3s, retry_policy: {retry_on: 5xx, per_try_timeout: 1s}"),
		[]string{"GET x /", failing}},
	{"tries have more time than the request", "",
		waiting("timeout: 1s, retry_policy: {retry_on: 5xx, num_retries: 2, per_try_timeout: 3s}"),
		[]string{"GET x /", failing}},
	{"max_stream_duration takes the timeout's place", "",
		waiting("timeout: 3s, max_stream_duration: {max_stream_duration: 7s}"), []string{"GET x /"}},
	{"max_grpc_timeout", "", waiting("timeout: 3s, max_grpc_timeout: 2s, grpc_timeout_offset: 0.1s"),
		append(each("grpc POST x / grpc-timeout=", "1S", "5S", "1M", "500m", "50m", "bad", "123456789S"),
			"grpc POST x /", "GET x / grpc-timeout=1S")},
	{"max_grpc_timeout of 0", "", waiting("max_grpc_timeout: 0s"), []string{"grpc POST x / grpc-timeout=1S",
		"grpc POST x /", "GET x /"}},
	{"respect_expected_rq_timeout", respecting, waiting("timeout: 3s"), []string{"GET x /",
		"GET x / x-envoy-expected-rq-timeout-ms=700", "GET x / x-envoy-upstream-rq-timeout-ms=900",
		"GET x / x-envoy-expected-rq-timeout-ms=bad x-envoy-upstream-rq-timeout-ms=900"}},
	{"retries", fromInside, waiting("retry_policy: {retry_on: 5xx, num_retries: 2}"), []string{failing,
		failing + "x-envoy-max-retries=1", failing + "x-envoy-max-retries=bad", failing + "x-envoy-max-retries=0",
		failing + "x-envoy-retry-on=retriable-4xx"}},
	{"retries by the request", fromInside, vhost(toA), []string{failing, failing + "x-envoy-retry-on=5xx",
		failing + "x-envoy-retry-on=gateway-error x-envoy-max-retries=2", failing + "x-envoy-max-retries=2"}},
	{"retries that an edge does not let a client ask for", "use_remote_address: true", vhost(toA),
		[]string{failing + "x-envoy-retry-on=5xx"}},
	{"retries on nothing", "", waiting("retry_policy: {num_retries: 3}"), []string{failing}},
	{"no retries", "", waiting("retry_policy: {retry_on: 5xx, num_retries: 0}"), []string{failing}},
	{"retries of some requests", "", waiting("retry_policy: {retry_on: 5xx, num_retries: 1, " +
		"retriable_request_headers: [{name: x-again, present_match: true}]}"),
		each(failing, "", "x-again=1")},
	{"retries of the virtual host", "", "virtual_hosts: [{name: v, domains: ['*'], retry_policy: {retry_on: 5xx, " +
		"num_retries: 2}, routes: [" + toA + ", {match: {prefix: /own}, route: {cluster: a}}]}]", []string{failing}},
	{"retries of the route before those of the virtual host", "", "virtual_hosts: [{name: v, domains: ['*'], " +
		"retry_policy: {retry_on: 5xx, num_retries: 2}, routes: [{match: {prefix: /}, route: {cluster: a, " +
		"retry_policy: {retry_on: 5xx, num_retries: 1}}}]}]", []string{failing}},
	{"retries of the cluster", "", vhost("{match: {prefix: /}, route: {cluster: again, retry_policy: {retry_on: 5xx, " +
		"num_retries: 1}}}"), []string{failing}},
}

// untiring lets a cluster have many retries at once.
const untiring = "circuit_breakers: {thresholds: [{max_retries: 1000}]}"

// again is a cluster with a policy of its own.
const again = "{" + untiring + ", name: again, type: STATIC, load_assignment: " +
	"{cluster_name: again, endpoints: [{lb_endpoints: [{endpoint: {address: " +
	"{socket_address: {address: 127.0.0.1, port_value: 1}}}}]}]}, " +
	"typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {'@type': " +
	"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: " +
	"{http_protocol_options: {}}, retry_policy: {retry_on: 5xx, num_retries: 3}}}}"

// TestPatience holds what inference says of timeouts and retries against the time that Envoy tells
// the upstream, and the requests that it makes of one that fails.
func TestPatience(t *testing.T) {
	const base = 20000
	c := config{clusters: []string{strings.Replace(stubbed("a")[0], "{", "{"+untiring+", ", 1), again}}
	var requests []flow.Request
	var names []string
	for i, r := range patienceRules {
		c.listeners = append(c.listeners, httpListener(base+i, r.hcm, r.routes))
		for _, text := range r.requests {
			requests, names = append(requests, shorthand(text, base+i)), append(names, r.name+": "+text)
		}
	}
	d := c.dump(t)
	results := askAll(t, d, requests)
	engine := infer.New(d)
	for i, req := range requests {
		t.Run(names[i], func(t *testing.T) {
			decision, err := engine.Decide(req)
			if err != nil {
				t.Fatal(err)
			}
			if text := impatient(decision, results[i]); text != "" {
				t.Errorf("%s\n  Envoy: %+v %+v", text, results[i].Seen, results[i].Entries)
			}
		})
	}
}

var (
	triesText = regexp.MustCompile(`(\d+) retries on`)
	tryText   = regexp.MustCompile(`each try at most (\S+( ms)?)`)
	waitText  = regexp.MustCompile(`(?:^|[;,] )timeout (\S+( ms)?)`)
)

// impatient says where time and tries are not those that were inferred.
func impatient(d flow.Decision, r Result) string {
	why := ""
	for _, h := range d.Hops {
		if h.Kind == flow.Route {
			why = h.Why
		}
	}
	if r.Seen == nil {
		want := 1
		if m := triesText.FindStringSubmatch(why); m != nil {
			_, _ = fmt.Sscan(m[1], &want)
			want++
		}
		if got := lastEntry(r).Attempts; got != want {
			return fmt.Sprintf("inferred %d attempts (%s), Envoy made %d", want, why, got)
		}
		return ""
	}
	want := "0"
	for _, form := range []*regexp.Regexp{tryText, waitText} {
		if m := form.FindStringSubmatch(why); m != nil {
			d, err := time.ParseDuration(strings.ReplaceAll(strings.TrimRight(m[1], ",;"), " ", ""))
			if err != nil {
				return err.Error()
			}
			want = fmt.Sprint(d.Milliseconds())
			break
		}
	}
	if got := r.Seen.Expected; want != got && (want != "0" || got != "") {
		return fmt.Sprintf("inferred %s ms (%s), Envoy told the upstream %q", want, why, got)
	}
	return ""
}
