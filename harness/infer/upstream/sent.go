package upstream

import (
	"cmp"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/internal/redact"
)

// unsaid are headers that a client, Envoy or Istio may add or change without the call or the
// configuration of the way saying so: curl's own, those that tell of hops, and those of tracing. A
// name that ends in * stands for all that begin so.
var unsaid = []string{"x-envoy-*", "x-forwarded-*", "x-request-id", "x-b3-*", "b3", "traceparent",
	"tracestate", "baggage", "x-ot-span-context",
	"x-datadog-*", "x-cloud-trace-context", "x-amzn-trace-id", "grpc-*", "user-agent", "accept", "accept-encoding",
	"content-length",
	"content-type", "transfer-encoding", "connection", "upgrade", "keep-alive",
	"proxy-connection", "te", "expect", "via", "host"}

// sent are the facts of the request as the proxy sends it on, as far as the configuration says:
// what a filter may have changed is left open. Values are as the instruments may show them.
func sent(w *passage.Walk) []flow.Fact {
	if w.HCM == nil || w.Route == nil {
		return nil
	}
	h := w.Req.Header
	var facts []flow.Fact
	method, _ := h.Get(":method")
	path, authority := w.Req.Path, w.Req.Authority
	if rw := w.Out.Rewrite; rw != nil {
		path, authority = cmp.Or(rw.Path, path), cmp.Or(rw.Host, authority)
	}
	for _, p := range []struct{ fact, name, value string }{
		{flow.FactMethod, ":method", cmp.Or(method, w.Req.Method)}, {flow.FactPath, ":path", path},
		{flow.FactAuthority, ":authority", authority},
	} {
		_, open := h.Open(p.name)
		if w.Opts.Before != nil && !open { // normalising what is open makes it no more certain
			_, open = w.Opts.Before.Open(p.name)
		}
		if open {
			facts = append(facts, flow.Fact{Name: p.fact, May: true})
		} else if p.value != "" {
			facts = append(facts, passage.Fact(p.fact, redact.Text(p.value)))
		}
	}
	may := func(pattern string) {
		facts = append(facts, flow.Fact{Name: flow.FactHeader, Value: pattern, May: true})
	}
	if every, _ := h.Loosened(); every != nil {
		may("*")
		return facts
	}
	for _, name := range h.Names() {
		if strings.HasPrefix(name, ":") || slices.ContainsFunc(unsaid, func(u string) bool {
			return isUnsaid(u, name)
		}) {
			continue
		}
		if _, open := h.Open(name); open {
			may(name + ": *")
			continue
		}
		for _, value := range SentValues(w, name) {
			facts = append(facts, passage.Fact(flow.FactHeader, name+": "+redact.Header(name, value)))
		}
	}
	for _, name := range unsaid {
		if !strings.HasSuffix(name, "*") {
			name += ":"
		}
		may(strings.TrimSuffix(name, "*") + "*")
	}
	return facts
}

// SentValues are the values of a header as it is sent on: Envoy joins those of one name where it
// looks at them, and sends each as it came. Source: Envoy's HeaderMapImpl, which keeps an entry for
// each, and HeaderUtility::getAllOfHeaderAsString.
func SentValues(w *passage.Walk, name string) []string {
	values := w.Req.Header.Values(name)
	if own := w.Req.Headers[name]; len(values) == 1 && len(own) > 1 && w.Req.Headers.Get(name) == values[0] {
		return own
	}
	return values
}

func isUnsaid(pattern, name string) bool {
	prefix, wild := strings.CutSuffix(pattern, "*")
	return name == pattern || wild && strings.HasPrefix(name, prefix)
}
