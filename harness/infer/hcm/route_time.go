package hcm

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
)

// A limit is how long something may take: a text as its source has it, the time, and who says so.
type limit struct {
	text string
	time time.Duration // 0: for ever
	by   string
}

// patience says how long the router waits for an answer. (FilterUtility::finalTimeout)
func patience(w *passage.Walk, action configdump.Message) limit {
	name := "x-envoy-upstream-rq-timeout-ms"
	const expected = "x-envoy-expected-rq-timeout-ms"
	if _, given := w.Req.Header.Get(expected); given && routerConfig(w).Get("respect_expected_rq_timeout").Bool() {
		name = expected
	}
	if own, ok := milliseconds(w, name); ok {
		return own
	}
	most, limited := action.Get("max_grpc_timeout"), match.IsGRPC(w.Req.Header)
	switch t := action.Get("timeout"); {
	case action.Has("max_stream_duration"): // takes the place of the others
		return limit{}
	case limited && most.Exists():
		return grpcPatience(w, most, action.Get("grpc_timeout_offset"))
	case !t.Exists():
		return limit{"15s", 15 * time.Second, ", Envoy's default"}
	default:
		return limit{t.Text(), t.Duration(), ""}
	}
}

// milliseconds is the time that a header of the request gives; ok is false where it gives none.
func milliseconds(w *passage.Walk, header string) (own limit, ok bool) {
	text, _ := w.Req.Header.Get(header)
	ms, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return limit{}, false
	}
	return limit{text + " ms", time.Duration(ms) * time.Millisecond, " by the request's own header"}, true
}

// grpcPatience is the grpc-timeout of a call, less an offset, and at most what the route allows,
// where 0 is for ever.
func grpcPatience(w *passage.Walk, most, offset configdump.Value) limit {
	text, _ := w.Req.Header.Get("grpc-timeout")
	given := grpcTimeout(text)
	if o := offset.Duration(); o > 0 && o < given {
		given -= o
	}
	if m := most.Duration(); m > 0 && (given == 0 || given > m) {
		return limit{most.Text(), m, " by max_grpc_timeout"}
	}
	return limit{given.String(), given, " by grpc-timeout"}
}

// grpcUnits are the units of grpc-timeout.
var grpcUnits = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond,
	'u': time.Microsecond, 'n': time.Nanosecond}

// grpcTimeout reads a grpc-timeout: up to eight digits and a unit. 0 is none, or one that is not
// valid.
func grpcTimeout(text string) time.Duration {
	if text == "" || len(text) > 9 {
		return 0
	}
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * grpcUnits[text[len(text)-1]]
}

// streamLimit is how long the whole stream may last: by the route's max_stream_duration, or the
// connection manager's. (ConnectionManagerImpl::ActiveStream::refreshDurationTimeout)
func streamLimit(w *passage.Walk, action configdump.Message) limit {
	own := action.Get("max_stream_duration")
	most := own.Get("grpc_timeout_header_max")
	text, _ := w.Req.Header.Get("grpc-timeout")
	if given := grpcTimeout(text); given > 0 && most.Exists() {
		if m := most.Duration(); m > 0 && given > m {
			given = m
		}
		if offset := own.Get("grpc_timeout_header_offset").Duration(); offset > 0 {
			given = max(0, given-offset)
		}
		return limit{given.String(), given, " by grpc-timeout, at most " + most.Text()}
	}
	if d := own.Get("max_stream_duration"); d.Exists() {
		return limit{d.Text(), d.Duration(), " by the route"}
	}
	d := w.HCM.At.Get("common_http_protocol_options", "max_stream_duration")
	return limit{d.Text(), d.Duration(), " by the connection manager"}
}

// policies says what the route does about time and repetition, as Envoy will apply it, and how long
// it lets the request take; "": for ever.
func policies(w *passage.Walk, action configdump.Message) (why, most string) {
	global, stream := patience(w, action), streamLimit(w, action)
	parts := []string{"no timeout"}
	if global.time > 0 {
		parts[0], most = "timeout "+global.text+global.by, global.text
	}
	if stream.time > 0 {
		parts = append(parts, "the stream lasts at most "+stream.text+stream.by)
		if global.time == 0 || stream.time < global.time {
			most = stream.text
		}
	}
	policy, of := retryPolicy(w, action)
	for _, text := range []string{retries(w, policy, of), perTry(w, policy, global), internalRedirects(action)} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", "), most
}

// retryPolicy is the policy that counts, and whose it is: the cluster's, the route's, or its
// virtual host's.
func retryPolicy(w *passage.Walk, action configdump.Message) (policy configdump.Value, of string) {
	if c := w.Proxy.Cluster(w.Out.Cluster); c != nil {
		if policy = c.Options().Get("retry_policy"); policy.Exists() {
			return policy, "the cluster"
		}
	}
	if policy = action.Get("retry_policy"); policy.Exists() || w.VirtualHost == nil {
		return policy, "the route"
	}
	return w.VirtualHost.At.Get("retry_policy"), "the virtual host"
}

// retries says how often Envoy tries again, and on what. The request's own headers add to what a
// policy says. (RetryStateImpl)
func retries(w *passage.Walk, policy configdump.Value, of string) string {
	const key = "upstream.use_retry"
	on := words(policy.Get("retry_on").Text())
	if len(on) > 0 && w.Proxy.Percent(key, 100) == 0 {
		return "no retries: " + key + " of the runtime is 0"
	}
	if only := policy.Get("retriable_request_headers"); only.Len() > 0 && !match.Some(only,
		func(m configdump.Value) match.Truth { return match.Header(m, w.Req.Header) }).Yes() {
		return "no retries: the request has none of the retriable_request_headers"
	}
	own := requested(w)
	if len(on)+len(own) == 0 {
		return ""
	}
	n := cmp.Or(policy.Get("num_retries").Text(), "1")
	text, _ := w.Req.Header.Get("x-envoy-max-retries")
	if _, err := strconv.ParseUint(text, 10, 31); err == nil {
		n, of = text, of+" and the request's own header"
	}
	switch {
	case len(on) == 0:
		of = "the request's own header"
	case len(own) > 0 && !strings.Contains(of, "own header"):
		of += " and the request's own header"
	}
	return n + " retries on " + strings.Join(append(on, own...), ",") + " by " + of
}

// requested are the words of the request's own headers that ask for retries.
func requested(w *passage.Walk) []string {
	var all []string
	for _, name := range []string{"x-envoy-retry-on", "x-envoy-retry-grpc-on"} {
		text, _ := w.Req.Header.Get(name)
		all = append(all, words(text)...)
	}
	return all
}

// perTry says how long one try may take. A limit that is no shorter than the whole time's does not
// count.
func perTry(w *passage.Walk, policy configdump.Value, global limit) string {
	per := limit{policy.Get("per_try_timeout").Text(), policy.Get("per_try_timeout").Duration(), ""}
	if own, ok := milliseconds(w, "x-envoy-upstream-rq-per-try-timeout-ms"); ok {
		per = own
	}
	var parts []string
	if per.time > 0 && (global.time == 0 || per.time < global.time) {
		parts = append(parts, "each try at most "+per.text+per.by)
	}
	if idle := policy.Get("per_try_idle_timeout"); idle.Duration() > 0 {
		parts = append(parts, "each try without a byte for at most "+idle.Text())
	}
	return strings.Join(parts, ", ")
}

// internalRedirects says which answers of the upstream Envoy does not hand on: it sends the request
// on to where they lead, which may be another route. (Router::Filter::setupRedirect)
func internalRedirects(action configdump.Message) string {
	policy := action.Get("internal_redirect_policy")
	if !policy.Exists() {
		return ""
	}
	codes := cmp.Or(strings.Join(policy.Get("redirect_response_codes").Texts(), ", "), "302")
	most := "once"
	if n := policy.Get("max_internal_redirects").Text(); n != "" && n != "1" {
		most = n + " times"
	}
	text := "an answer of " + codes + " by the upstream is followed inside of Envoy, at most " + most
	if policy.Get("predicates").Len() > 0 {
		text += " and where its predicates allow it"
	}
	return text
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
