package explain

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/flow"
)

// A reader makes a request of a line.
type reader struct {
	line    logformat.Line
	dump    *configdump.Dump
	assumed []string
}

func (r *reader) assume(format string, values ...any) {
	r.assumed = append(r.assumed, fmt.Sprintf(format, values...))
}

// direction says whether the proxy took the request on its way out of its pod or into it.
func (r *reader) direction(given flow.Direction) flow.Direction {
	if given != "" {
		return given
	}
	cluster := r.line.Sure(logformat.Cluster)
	switch {
	case strings.HasPrefix(cluster, "inbound|"), cluster == "InboundPassthroughCluster":
		return flow.Inbound
	case strings.HasPrefix(cluster, "outbound|"), cluster == "PassthroughCluster", cluster == "BlackHoleCluster":
		return r.outbound()
	}
	if local, err := netip.ParseAddrPort(r.line.Sure(logformat.DirectLocal)); err == nil {
		switch local.Port() {
		case 15006:
			return flow.Inbound
		case 15001:
			return flow.Outbound
		}
	}
	local, err := netip.ParseAddrPort(r.line.Sure(logformat.DownLocal))
	if err == nil && r.dump != nil && slices.Contains(r.dump.Node().IPs, local.Addr().String()) {
		return flow.Inbound
	}
	if strings.HasPrefix(r.line.Sure(logformat.ServerName), "outbound_.") {
		return flow.Inbound
	}
	if r.dump == nil && cluster == "" {
		r.assume("the proxy is the client's: nothing in the line says which side it is of " +
			"(--direction inbound, or a dump, says it)")
	}
	return r.outbound()
}

// outbound is a gateway's direction where the dump is of one.
func (r *reader) outbound() flow.Direction {
	if r.dump != nil && r.dump.Node().Type == "router" {
		return flow.Gateway
	}
	return flow.Outbound
}

// request is the request as the line has it.
func (r *reader) request(direction flow.Direction) flow.Request {
	q := flow.Request{
		Direction: direction,
		Method:    r.line.Sure(logformat.Method),
		Authority: r.line.Sure(logformat.Authority),
		SNI:       r.line.Sure(logformat.ServerName),
		Source:    address(cmp.Or(r.line.Sure(logformat.DownDirect), r.line.Sure(logformat.DownRemote))),
	}
	path, original := r.line.RequestPath()
	q.Path = path
	if local, err := netip.ParseAddrPort(r.line.Sure(logformat.DownLocal)); err == nil {
		q.Address, q.Port = local.Addr().Unmap().String(), uint32(local.Port())
	}
	q.Protocol = r.protocol()
	for name, header := range map[string]string{
		"user_agent":        "user-agent",
		"x_forwarded_for":   "x-forwarded-for",
		logformat.RequestID: "x-request-id",
	} {
		if v := r.line.Sure(name); v != "" {
			q.Headers.Add(header, v)
		}
	}
	r.tls(&q)
	if original && direction == flow.Inbound && q.Protocol != "tcp" {
		r.assume("the path is the one that the proxy decides by: x-envoy-original-path, " +
			"which the format prefers, would be of before a rewrite by the client's sidecar")
	}
	return q
}

// protocol is the request's as inference names it.
func (r *reader) protocol() string {
	switch p := r.line.Sure(logformat.Protocol); {
	case !r.line.HTTP():
		return "tcp"
	case p == "HTTP/2":
		return "http2"
	case p == "HTTP/3":
		return "http3"
	case p == "HTTP/1.0":
		return "http1.0"
	}
	return "http"
}

// tls says what the client spoke. A sidecar of the mesh is known by its server name.
func (r *reader) tls(q *flow.Request) {
	version, knows := r.line.Get(logformat.DownTLS)
	switch {
	case strings.HasPrefix(q.SNI, "outbound_."):
		q.TLS, q.ALPN = flow.MTLS, []string{"istio-peer-exchange", "istio"}
		if q.Direction == flow.Inbound {
			r.assume("the client is a sidecar, which shows a certificate and offers the application protocol istio: " +
				"its server name is Istio's")
		}
	case q.SNI != "" || knows && version != "":
		q.TLS = flow.TLS
		if r.line.Value(logformat.DownPeer) != "" {
			q.TLS, q.ALPN = flow.MTLS, []string{"istio-peer-exchange", "istio"}
		}
	case !knows && q.Direction == flow.Inbound:
		r.assume("the client spoke clear text: the line has no server name, and does not tell of TLS otherwise")
	}
}

// address is an address as a request has it, or "" of what is none, such as a pipe.
func address(text string) string {
	if _, err := netip.ParseAddrPort(text); err != nil {
		return ""
	}
	return text
}
