package envoylog

import (
	"fmt"
	"strings"
)

// workshopLog is the log of the workshop: one cold request, Istio 1.14 (Envoy 1.22), lines L01
// to L40 in the form that Istio printed then, which names no threads. Ids, addresses and
// messages are the book's.
func workshopLog() string {
	const c, s, up = "[C12990]", "[C12990][S11192089021443921902]", "[C12991]"
	membership := "membership update for TLS cluster inbound|8080|| added 1 removed 0"
	localLB := "re-creating local LB for TLS cluster inbound|8080||"
	var b strings.Builder
	line := func(logger, ids, message string, block ...[2]string) {
		if ids != "" {
			ids += " "
		}
		fmt.Fprintf(&b, "2022-08-28T13:46:17.%06dZ\tdebug\tenvoy %s\t%s%s\n", b.Len(), logger, ids, message)
		for _, h := range block {
			fmt.Fprintf(&b, "'%s', '%s'\n", h[0], h[1])
		}
		if len(block) > 0 {
			b.WriteString("\n")
		}
	}
	line("filter", "", "original_dst: new connection accepted")
	line("filter", "", "tls inspector: new connection accepted")
	line("filter", "", "tls:onServerName(), requestedServerName: "+
		"outbound_.8080_._.fortio-server.mark.svc.cluster.local")
	line("conn_handler", c, "new connection from 172.21.206.228:52352")
	line("http", c, "new stream")
	line("http", s, "request headers complete (end_stream=true):", workshopRequest...)
	line("http", s, "request end stream")
	line("connection", c, "current connecting state: false")
	line("router", s, "cluster 'inbound|8080||' match for URL '/'")
	line("upstream", "", "transport socket match, socket default selected for host with address 172.21.206.230:8080")
	line("upstream", "", "Created host 172.21.206.230:8080.")
	line("upstream", "", "addHost() adding 172.21.206.230:8080")
	line("upstream", "", membership)
	line("upstream", "", localLB)
	line("upstream", "", membership)
	line("upstream", "", localLB)
	line("router", s, "router decoding headers:", workshopForwarded...)
	line("pool", "", "queueing stream due to no available connections")
	line("pool", "", "trying to create new connection")
	line("pool", "", "creating a new connection")
	line("connection", up, "current connecting state: true")
	line("client", up, "connecting")
	line("connection", up, "connecting to 172.21.206.230:8080")
	line("connection", up, "connection in progress")
	line("upstream", "", membership)
	line("upstream", "", localLB)
	line("connection", up, "connected")
	line("client", up, "connected")
	line("pool", up, "attaching to next stream")
	line("pool", up, "creating stream")
	line("router", s, "pool ready")
	line("client", up, "response complete")
	line("router", s, "upstream headers complete: end_stream=true")
	line("http", s, "encoding headers via codec (end_stream=true):", workshopResponse...)
	for _, stat := range []int{12, 6, 10, 14} {
		line("wasm", "", fmt.Sprintf("wasm log stats_inbound stats_inbound: "+
			"[extensions/stats/plugin.cc:645]::report() metricKey cache hit , stat=%d", stat))
	}
	line("pool", up, "response complete")
	line("pool", up, "destroying stream: 0 remaining")
	return b.String()
}

const workshopRequestID = "e8cf4fdb-3c9a-9a4b-8b0e-3f0f5a1f3c2d"

// The headers of L06, L17 and L34.
var (
	workshopRequest = [][2]string{{":authority", "fortio-server:8080"}, {":path", "/"}, {":method", "GET"},
		{"user-agent", "curl/7.83.1"},
		{"accept", "*/*"}, {"x-forwarded-proto", "http"}, {"x-request-id", workshopRequestID},
		{"x-envoy-decorator-operation", "fortio-server.mark.svc.cluster.local:8080/*"},
		{"x-envoy-peer-metadata", "ChYKCkNMVVNURVI="},
		{"x-envoy-peer-metadata-id", "sidecar~172.21.206.228~netshoot.mark~mark.svc.cluster.local"},
		{"x-envoy-attempt-count", "1"}, {"x-b3-traceid", "1"}, {"x-b3-spanid", "2"}, {"x-b3-sampled", "0"}}
	workshopForwarded = [][2]string{{":authority", "fortio-server:8080"}, {":path", "/"}, {":method", "GET"},
		{":scheme", "http"},
		{"user-agent", "curl/7.83.1"}, {"accept", "*/*"}, {"x-forwarded-proto", "http"},
		{"x-request-id", workshopRequestID},
		{"x-envoy-attempt-count", "1"}, {"x-b3-traceid", "1"}, {"x-b3-spanid", "2"}, {"x-b3-sampled", "0"},
		{
			"x-forwarded-client-cert",
			`By=spiffe://cluster.local/ns/mark/sa/default;Hash=79253e34;Subject="";` +
				`URI=spiffe://cluster.local/ns/mark/sa/default`,
		}}
	workshopResponse = [][2]string{{":status", "200"}, {"date", "Sun, 28 Aug 2022 13:46:17 GMT"},
		{"content-length", "0"},
		{"x-envoy-upstream-service-time", "2"}, {"x-envoy-peer-metadata", "ChYK"},
		{"x-envoy-peer-metadata-id", "sidecar~172.21.206.230~x~y"}, {"server", "istio-envoy"}}
)
