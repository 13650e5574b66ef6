package verify

import "github.com/flowproof/lab/harness/flow"

// fact builds an expected fact; join is optional.
func fact(name, value string, join ...string) flow.Fact {
	f := flow.Fact{Name: name, Value: value}
	if len(join) > 0 {
		f.Join = join[0]
	}
	return f
}

func absent(name, value string) flow.Fact { return flow.Fact{Name: name, Value: value, Absent: true} }

func hop(side flow.Side, kind flow.HopKind, expect ...flow.Fact) flow.Hop {
	proxy := map[flow.Side]string{flow.Client: "netshoot.mark", flow.Server: "fortio-server.mark"}[side]
	return flow.Hop{Kind: kind, Side: side, Proxy: proxy, Decision: string(kind), Expect: expect}
}

func seen(instrument flow.Instrument, side flow.Side, kind flow.HopKind, facts ...string) flow.Observation {
	o := flow.Observation{Instrument: instrument, Side: side, Kind: kind}
	o.Where.Pod = hop(side, kind).Proxy
	for i := 0; i < len(facts); i += 2 {
		o.Facts = append(o.Facts, flow.Seen{Name: facts[i], Value: facts[i+1]})
	}
	return o
}

func watch(instrument flow.Instrument, side flow.Side, sees ...string) flow.Watch {
	w := flow.Watch{Instrument: instrument, Side: side, Pod: hop(side, "").Proxy, Complete: true}
	for i := 0; i < len(sees); i += 2 {
		w.Sees = append(w.Sees, flow.Capability{Kind: flow.HopKind(sees[i]), Fact: sees[i+1]})
	}
	return w
}

const (
	tuple    = "client-to-server"
	endpoint = "172.21.206.230:8080"
	peer     = "172.21.206.228:52352"
	inspect  = "envoy.filters.listener."
)

// workshop is the workshop's request, seen by the log and the sockets of both pods.
func workshop() flow.Run {
	const client, server, log, table = flow.Client, flow.Server, flow.EnvoyLog, flow.Sockets
	run := flow.Run{
		Schema: flow.RunSchema, Call: flow.Call{From: "netshoot", Namespace: "mark", URL: "http://fortio-server:8080/"},
	}
	run.Path.Hops = []flow.Hop{
		hop(client, flow.Cluster, fact(flow.FactCluster, "outbound|8080||fortio-server.mark.svc.cluster.local")),
		hop(client, flow.Endpoint, fact(flow.FactEndpoint, endpoint)),
		hop(client, flow.Connect, fact(flow.FactUpstreamLocal, "172.21.206.228:*", tuple),
			fact(flow.FactUpstreamRemote, endpoint),
			fact(flow.FactUpstreamReused, "false"), fact(flow.FactProcess, "envoy")),
		hop(server, flow.Redirect, fact(flow.FactRedirectPort, "15006"),
			fact(flow.FactPeer, "172.21.206.228:*", tuple)),
		hop(server, flow.ListenerFilters, fact(flow.FactFilter, inspect+"original_dst"),
			fact(flow.FactFilter, inspect+"tls_inspector"),
			absent(flow.FactFilter, inspect+"http_inspector"),
			fact(flow.FactSNI, "outbound_.8080_._.fortio-server.mark.svc.cluster.local")),
		hop(server, flow.FilterChain, fact(flow.FactTransport, "tls"), fact(flow.FactFilterChain, "0.0.0.0_8080")),
		hop(server, flow.DownstreamTLS, fact(flow.FactXFCC, "spiffe://cluster.local/*")),
		hop(server, flow.Connect, fact(flow.FactUpstreamLocal, "127.0.0.6:*", "server-to-app"),
			fact(flow.FactUpstreamRemote, endpoint)),
		hop(server, flow.App, fact(flow.FactPeer, "127.0.0.6:*", "server-to-app"), fact(flow.FactProcess, "fortio"),
			fact(flow.FactStatus, "200")),
	}
	run.Observations = []flow.Observation{
		seen(log, client, flow.Cluster, flow.FactCluster, "outbound|8080||fortio-server.mark.svc.cluster.local"),
		seen(log, client, flow.Connect, flow.FactUpstreamRemote, endpoint, flow.FactUpstreamReused, "false"),
		seen(log, client, flow.Endpoint, flow.FactEndpoint, endpoint),
		seen(table, client, flow.Connect, flow.FactUpstreamLocal, peer, flow.FactUpstreamRemote, endpoint,
			flow.FactProcess, "envoy"),
		seen(table, server, flow.Redirect, flow.FactRedirectPort, "15006", flow.FactPeer, peer,
			flow.FactProcess, "envoy"),
		seen(log, server, flow.Listener, flow.FactPeer, peer),
		seen(log, server, flow.ListenerFilters, flow.FactFilter, inspect+"original_dst"),
		seen(log, server, flow.ListenerFilters, flow.FactFilter, inspect+"tls_inspector", flow.FactSNI,
			"outbound_.8080_._.fortio-server.mark.svc.cluster.local", flow.FactTransport, "tls"),
		seen(log, server, flow.DownstreamTLS, flow.FactXFCC, "spiffe://cluster.local/ns/mark/sa/default"),
		seen(log, server, flow.Connect, flow.FactUpstreamRemote, endpoint),
		seen(table, server, flow.Connect, flow.FactUpstreamLocal, "127.0.0.6:41435", flow.FactUpstreamRemote, endpoint,
			flow.FactProcess, "envoy"),
		seen(table, server, flow.App, flow.FactPeer, "127.0.0.6:41435", flow.FactProcess, "fortio"),
		seen(log, server, flow.App, flow.FactStatus, "200"),
	}
	run.Watches = []flow.Watch{
		watch(log, client, "cluster", flow.FactCluster, "endpoint", flow.FactEndpoint, "connect",
			flow.FactUpstreamRemote, "connect", flow.FactUpstreamReused),
		watch(log, server, "listener-filters", flow.FactFilter, "listener-filters", flow.FactSNI, "listener-filters",
			flow.FactTransport,
			"listener", flow.FactPeer, "downstream-tls", flow.FactXFCC, "connect", flow.FactUpstreamRemote, "app",
			flow.FactStatus),
		watch(table, client, "connect", flow.FactUpstreamLocal, "connect", flow.FactUpstreamRemote, "connect",
			flow.FactProcess),
		watch(table, server, "redirect", flow.FactRedirectPort, "redirect", flow.FactPeer, "connect",
			flow.FactUpstreamLocal, "connect", flow.FactUpstreamRemote, "app", flow.FactPeer, "app", flow.FactProcess),
	}
	return run
}
