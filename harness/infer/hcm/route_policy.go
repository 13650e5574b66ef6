package hcm

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
)

// mirrors lists the second ways of a request that is mirrored: the policies of the cluster, or else
// of the route, of its virtual host, of the route configuration.
// (RouteEntryImplBase::shadowPolicies)
func mirrors(w *passage.Walk) []flow.Mirror {
	const field = "request_mirror_policies"
	var list configdump.Value
	if c := w.Proxy.Cluster(w.Out.Cluster); c != nil {
		list = c.Options().Get(field)
	}
	if list.Len() == 0 {
		list = w.Route.Action.Get(field)
	}
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
