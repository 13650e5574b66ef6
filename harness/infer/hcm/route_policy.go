package hcm

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
)

// policies says what the route does about time and repetition, as Envoy will apply it, and how long
// it lets the request take; "": for ever.
func policies(w *passage.Walk, action configdump.Message) (why, limit string) {
	limit, of := timeout(w, action)
	parts := []string{"no timeout"}
	if limit != "" {
		parts[0] = "timeout " + limit + of
	}
	retry := action.Get("retry_policy")
	of = "the route"
	if !retry.Exists() && w.VirtualHost != nil {
		retry, of = w.VirtualHost.At.Get("retry_policy"), "the virtual host"
	}
	if retry.Exists() {
		n := retry.Get("num_retries").Text()
		n = cmp.Or(n, "1")
		text := n + " retries on " + retry.Get("retry_on").Text() + " by " + of
		if per := retry.Get("per_try_timeout"); per.Exists() {
			text += ", each try at most " + per.Text()
		}
		parts = append(parts, text)
	}
	if on, ok := w.Req.Header.Get("x-envoy-retry-on"); ok {
		n, _ := w.Req.Header.Get("x-envoy-max-retries")
		parts = append(parts, cmp.Or(n, "1")+" retries on "+on+" by the request's own header")
	}
	return strings.Join(parts, ", "), limit
}

// timeout is the time that the request may take, and who says so: of gRPC grpc-timeout where
// max_grpc_timeout or max_stream_duration take it, of others what the request's own header or the
// route says. (Router::FilterUtility::finalTimeout)
func timeout(w *passage.Walk, action configdump.Message) (limit, of string) {
	if own, ok := w.Req.Header.Get("x-envoy-upstream-rq-timeout-ms"); ok {
		return own + " ms", " by the request's own header"
	}
	most := cmp.Or(action.Get("max_stream_duration", "grpc_timeout_header_max").Text(),
		action.Get("max_grpc_timeout").Text())
	if given, ok := w.Req.Header.Get("grpc-timeout"); ok && most != "" && match.IsGRPC(w.Req.Header) {
		return given, " by grpc-timeout, at most " + most
	}
	switch t := action.Get("timeout"); {
	case !t.Exists():
		return "15s", ", Envoy's default"
	case t.Duration() == 0:
		return "", ""
	default:
		return t.Text(), ""
	}
}

// mirrors lists the second ways of a request that is mirrored: the policies of the route, or else
// of its virtual host, or else of the route configuration. (RouteEntryImplBase::shadowPolicies)
func mirrors(w *passage.Walk) []flow.Mirror {
	const field = "request_mirror_policies"
	list := w.Route.Action.Get(field)
	if list.Len() == 0 {
		list = w.VirtualHost.At.Get(field)
	}
	if list.Len() == 0 {
		list = w.Table.Mirrors
	}
	host := w.RewrittenHost()
	if host == "" {
		host, _ = w.Req.Header.Get(":authority")
	}
	var all []flow.Mirror
	for _, p := range list.Elements() {
		m := flow.Mirror{Cluster: p.Get("cluster").Text(), Host: host, Share: 1}
		if header := p.Get("cluster_header").Text(); m.Cluster == "" && header != "" {
			m.Cluster, _ = w.Req.Header.Get(header)
		}
		if own := p.Get("host_rewrite_literal").Text(); own != "" {
			m.Host = own
		} else if !p.Get("disable_shadow_host_suffix_append").Bool() {
			name, port := match.SplitPort(host)
			m.Host = name + "-shadow"
			if port != "" {
				m.Host += ":" + port
			}
		}
		if fraction := p.Get("runtime_fraction"); fraction.Exists() {
			numerator, of := w.Proxy.Fraction(fraction)
			m.Share = min(1, float64(numerator)/float64(of))
		}
		if m.Share > 0 && m.Cluster != "" {
			all = append(all, m)
		}
	}
	return all
}

// Mirrored are the clusters that a copy of the request goes to: an instrument that counts what a
// proxy sends may see these.
func Mirrored(w *passage.Walk) []flow.Fact {
	var all []flow.Fact
	for _, m := range w.Out.Mirrors {
		all = append(all, flow.Fact{Name: flow.FactCluster, Value: m.Cluster, May: true})
	}
	return all
}

func mirrorText(all []flow.Mirror) string {
	var parts []string
	for _, m := range all {
		part := fmt.Sprintf("mirrored to cluster %s as %s", m.Cluster, m.Host)
		if m.Share < 1 {
			part += fmt.Sprintf(" for %g %% of requests", m.Share*100)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}
