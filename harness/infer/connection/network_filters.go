package connection

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/certainty"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/rbac"
	"github.com/flowproof/lab/harness/infer/say"
)

// A networkRun walks over the network filters of a chain.
type networkRun struct {
	w     *passage.Walk
	names []string
	notes []string
	hop   flow.Hop
}

// NetworkFilters walks over the chain's network filters up to the one that ends it.
func NetworkFilters(w *passage.Walk) {
	if w.Chain == nil {
		return
	}
	run := &networkRun{w: w}
	for _, f := range w.Chain.Network() {
		run.names = append(run.names, f.Name)
		run.hop.Expect = append(run.hop.Expect, filters.Facts(flow.FactNetworkFilter, f.Name, f.Kind)...)
		if run.filter(f); w.Done || w.HCM != nil || w.TCPProxy.Exists() {
			break
		}
	}
	if w.Done {
		return
	}
	list, hop := w.Chain.List, &run.hop
	hop.Decision = strings.Join(run.names, ", ")
	switch {
	case len(run.names) == 0:
		hop.Decision, hop.Why = "none", "the chain has no network filters, so Envoy closes the connection"
		w.Add(flow.NetworkFilters, w.Chain.At, *hop)
		w.Fail(flow.BlackHole, "")
	case w.HCM != nil:
		managed(w, hop, list)
		h := &w.Out.Hops[len(w.Out.Hops)-1]
		h.Why = say.Join(append([]string{h.Why}, run.notes...)...)
	case w.TCPProxy.Exists():
		last := run.names[len(run.names)-1]
		why := last + " " + w.TCPProxy.Get("stat_prefix").Text() + " forwards the bytes as they are"
		if len(run.notes) > 0 && w.RoutedBy != "" {
			why = last + " " + w.TCPProxy.Get("stat_prefix").Text() + " ends the chain"
		}
		hop.Why = say.Join(append([]string{why}, run.notes...)...)
		hop.Expect = append(hop.Expect, statPrefix(w.TCPProxy))
		w.Add(flow.NetworkFilters, list, *hop)
	default:
		last := run.names[len(run.names)-1]
		hop.Why = say.Join(append([]string{
			"the chain ends in " + last + ": where it sends the connection is not known",
		}, run.notes...)...)
		w.Open(flow.WhatWay, last, hop.Why, list)
		w.Add(flow.NetworkFilters, list, *hop)
		w.Out.Outcome, w.Done = flow.Forwarded, true
	}
}

// filter lets one network filter act: as it is computed, or as the catalogue says that it can.
func (run *networkRun) filter(f proxy.NetworkFilter) {
	w, row := run.w, filters.Network(f.Kind, f.Name)
	switch {
	case f.Kind == proxy.NetRBACType:
		run.rbac(f.Config)
	case f.Kind == proxy.ManagerType:
		w.HCM = w.Chain.HCM
	case f.Kind == proxy.TCPType:
		w.TCPProxy = f.Config
	case f.Kind == proxy.EchoType || f.Kind == proxy.DirectType:
		run.hop.Decision, run.hop.Why = strings.Join(run.names, ", ")+" answers",
			"the filter answers the connection by itself"
		w.Add(flow.NetworkFilters, f.Config, run.hop)
		w.Answer(0, "")
	case row == nil:
		run.unknown(f)
	case row.Can&filters.Ends != 0:
		run.routed(f, row)
	case !row.Computed:
		run.opened(f, row)
	default:
		run.named(f)
	}
}

// named keeps what a filter before the end says of cluster and host: sni_cluster takes the server
// name for the cluster's, as Istio's east-west gateways do, and set_filter_state writes what the
// TCP proxy and the cluster read.
func (run *networkRun) named(f proxy.NetworkFilter) {
	w := run.w
	switch {
	case f.Kind == proxy.SNIType || f.Kind == "" && f.Name == proxy.SNIName:
		if w.Named = w.Conn.ServerName; w.Named != "" {
			run.notes = append(run.notes, "sni_cluster names the cluster by the server name "+w.Named)
		}
	case strings.HasSuffix(f.Kind, ".filters.network.set_filter_state.v3.Config"):
		on := []string{"on_new_connection"}
		if w.Conn.Terminated {
			on = append(on, "on_downstream_tls_handshake")
		}
		for _, when := range on {
			for _, v := range f.Config.Get(when).Elements() {
				run.state().SetState(&filters.Filter{At: f.Config, Name: f.Name}, v)
			}
		}
		if name, ok := w.StateText("envoy.tcp_proxy.cluster"); ok {
			// what is not there is "-", which no cluster is called
			w.Named = name
			run.notes = append(run.notes, "set_filter_state names the cluster "+name)
		}
	}
}

// state is the connection as package filters sees it: there is no request yet.
func (run *networkRun) state() *filters.Request {
	return &filters.Request{Headers: run.w.Req.Header, Metadata: &run.w.Meta, State: &run.w.State,
		Way: networkWay{passage.FilterWay{Walk: run.w}}}
}

// A networkWay is the walk of a connection as filters.Way.
type networkWay struct{ passage.FilterWay }

// Match says no: a connection has no request that a route could match.
func (networkWay) Match(configdump.Value) bool { return false }

// opened lets a filter that is not computed do what the catalogue says that it can do.
func (run *networkRun) opened(f proxy.NetworkFilter, row *filters.Row) {
	w := run.w
	why := "filter " + f.Name + " depends on " + row.On
	if row.Can&(filters.Answer|filters.Stop) != 0 &&
		w.May(flow.WhatAnswer, f.Name, "filter "+f.Name+" may end the connection: that depends on "+row.On, f.Config) {
		run.hop.Decision, run.hop.Why = strings.Join(run.names, ", ")+" closes the connection", why
		w.Add(flow.NetworkFilters, f.Config, run.hop)
		w.Fail(flow.Denied, "")
		return
	}
	cause := match.Cause{On: "filter " + f.Name, Why: why}
	if row.Can&filters.Metadata != 0 {
		w.Meta.LoosenAll(cause)
		w.State.LoosenAll(cause)
	}
	if row.Can&filters.Cluster != 0 {
		w.Open(flow.WhatCluster, f.Name, why, f.Config)
	}
	if row.Can&filters.Body != 0 {
		w.Open(flow.WhatWay, f.Name, "filter "+f.Name+" may change the bytes: that depends on "+row.On, f.Config)
	}
	run.notes = append(run.notes, "as far as the dump says: "+why)
}

// unknown is a filter that is in no catalogue: it can do everything, and everything
// after it is open.
func (run *networkRun) unknown(f proxy.NetworkFilter) {
	name := cmp.Or(f.Kind, f.Name)
	cause := match.Cause{On: "filter " + name, Why: "what filter " + name + " does is not known"}
	run.w.Meta.LoosenAll(cause)
	run.w.State.LoosenAll(cause)
	run.w.Open(flow.WhatWay, cause.On,
		cause.Why+": it may end the connection, change its bytes, or choose where it goes", f.Config)
	run.notes = append(run.notes, cause.Why+", so everything after it is open")
}

// routed is a filter that ends the chain and routes messages of its own protocol. Where the
// dump has its routes the clusters that they lead to are what is possible: the request does
// not say the message.
func (run *networkRun) routed(f proxy.NetworkFilter, row *filters.Row) {
	w := run.w
	clusters := routedClusters(f.Config)
	if len(clusters) == 0 {
		run.notes = append(run.notes, "its protocol is not followed")
		return
	}
	w.TCPProxy, w.RoutedBy = f.Config, row.On
	w.Open(flow.WhatAnswer, row.On, f.Name+" reads a protocol of its own, and the request does not say its message",
		f.Config)
	chosen := 0
	if len(clusters) > 1 {
		about := flow.Dependency{On: row.On, What: flow.WhatCluster, Source: f.Config.Pointer(),
			Why: f.Name + " routes by it to one of " + say.List(clusters) + ", and the request does not say it"}
		chosen = w.Ask(certainty.Question{Key: about.On + f.Config.Pointer(), About: about, Answers: len(clusters)})
	}
	w.Named = clusters[chosen]
	run.notes = append(run.notes, "its routes lead to "+say.List(clusters))
}

// routedClusters returns the clusters that the routes of a protocol's filter name, the one for
// everything else first.
func routedClusters(config configdump.Value) []string {
	var all []string
	add := func(name string) {
		if name != "" && !slices.Contains(all, name) && len(all) < 16 {
			all = append(all, name)
		}
	}
	add(config.Get("prefix_routes", "catch_all_route", "cluster").Text())
	var walk func(v configdump.Value, depth int)
	walk = func(v configdump.Value, depth int) {
		if depth > 24 {
			return
		}
		for name, field := range v.Fields() {
			switch configdump.FieldName(name) {
			case "cluster":
				add(field.Text())
			case "request_mirror_policy", "read_command_policy", "request_mirror_policies":
			case "weighted_clusters":
				for _, c := range field.Get("clusters").Elements() {
					add(c.Get("name").Text())
				}
			default:
				walk(field, depth+1)
			}
		}
		for _, e := range v.Elements() {
			walk(e, depth+1)
		}
	}
	for _, field := range []string{"prefix_routes", "route_config", "multiple_route_config"} {
		walk(config.Get(field), 0)
	}
	return all
}

// statPrefix is the prefix under which a connection manager or a TCP proxy counts. Istio ends it
// with a semicolon, which is how it marks the end of a name in a counter's name.
func statPrefix(filter configdump.Value) flow.Fact {
	return passage.Fact(flow.FactStatPrefix, strings.TrimSuffix(filter.Get("stat_prefix").Text(), ";"))
}

// managed ends the hop of a chain with an HTTP connection manager: the codec has to
// understand the client.
func managed(w *passage.Walk, hop *flow.Hop, list configdump.Value) {
	if w.AssumedInner {
		w.OpenInner(w.HCM.At.Value)
	}
	codec, problem, status := codec(w)
	if problem != "" {
		hop.Why = problem
		if status != 0 {
			hop.Why += fmt.Sprintf(": Envoy answers %d and closes the connection", status)
		}
		w.Add(flow.NetworkFilters, w.HCM.At.Value, *hop)
		w.Fail(flow.ProtocolError, "DPE")
		w.Out.Status = w.CodecStatus(status, w.Out.Flag)
		return
	}
	hop.Why = fmt.Sprintf("http_connection_manager %q ends the chain, codec %s",
		w.HCM.At.Get("stat_prefix").Text(), codec)
	hop.Expect = append(hop.Expect, passage.Fact(flow.FactCodec, codec), statPrefix(w.HCM.At.Value),
		passage.Joined(flow.FactConnection, "", w.Connection()))
	w.Add(flow.NetworkFilters, list, *hop)
}

// codec returns the downstream codec, or what the client sends that it cannot read and the status
// of Envoy's answer, which is 0 where the codec is HTTP/2 and the connection just ends.
// (ServerConnectionImpl::sendProtocolError)
func codec(w *passage.Walk) (codec, problem string, status int) {
	http1Only, http2Only := codecFixed(w)
	answer := 400
	if http2Only {
		answer = 0
	}
	switch {
	case w.Req.Encrypted() && !w.Conn.Terminated:
		return "", "the connection manager is given TLS bytes, which are no HTTP: the chain does not terminate " +
			"TLS", answer
	case !w.Req.IsHTTP():
		return "", "the connection manager is given bytes that are no HTTP", answer
	case w.Req.IsHTTP2() && http1Only, !w.Req.IsHTTP2() && http2Only:
		return "", "codec_type or the ALPN of the handshake fixes the codec, and the client speaks another version " +
			"of HTTP", answer
	case w.Req.Protocol == passage.HTTP3:
		return "http3", "", 0
	case w.Req.IsHTTP2():
		return "http2", "", 0
	}
	return "http1", "", 0
}

// codecFixed says whether the codec is fixed before the first byte: by codec_type, or with AUTO by
// the protocol that ALPN came to. Only without either is the client's preface looked at.
// (ConnectionManagerUtility::determineNextProtocol)
func codecFixed(w *passage.Walk) (http1Only, http2Only bool) {
	switch w.HCM.At.Get("codec_type").Text() {
	case "HTTP1", "1":
		return true, false
	case "HTTP2", "2", "HTTP3", "3":
		return false, true
	}
	if !w.Conn.Terminated {
		return false, false
	}
	if w.Req.Protocol == passage.HTTP3 {
		return false, true
	}
	protocol := negotiated(proxy.TLSContext(w.Chain.TLS), w.Req.ALPN)
	return protocol != "" && protocol != "h2", protocol == "h2"
}

// rbac evaluates the RBAC network filter, which may end the connection.
func (run *networkRun) rbac(config configdump.Value) {
	w, hop := run.w, &run.hop
	engine := rbac.Rules{W: w}
	allowed, code, why, rules, ok := engine.Judge(config)
	if !ok || allowed.Yes() {
		return
	}
	if allowed.Open() && !w.May(flow.WhatAnswer, allowed.On, why, rules) {
		hop.Rejected = append(hop.Rejected,
			flow.Alternative{Name: "connection denied", Source: rules.Pointer(), Why: why})
		return
	}
	hop.Decision = "denied by " + run.names[len(run.names)-1]
	hop.Reason, hop.Why = code, why+": Envoy closes the connection"
	w.Add(flow.NetworkFilters, rules, *hop)
	w.Fail(flow.Denied, "")
}
