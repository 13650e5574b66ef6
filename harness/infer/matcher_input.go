package infer

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// A datum is what a matcher's input gave.
type datum struct {
	name  string // what was asked for, as a sentence says it
	value string
	have  match.Truth // No: there is none; open: what it is is not known
}

// input reads what a data input names.
func (m *matching) input(v configdump.Value) datum {
	config, kind := v.Get("typed_config").Typed()
	kind = kind[strings.LastIndexByte(kind, '.')+1:]
	if d, ok := m.networkInput(kind); ok {
		return d
	}
	h := m.w.req.header
	switch kind {
	case "HttpRequestHeaderMatchInput":
		header := config.Get("header_name").Text()
		value, ok := h.Joined(header)
		_, _, open := h.Known(header)
		return datum{"header " + header, value, match.Of(ok).Or(open)}
	case "HttpRequestQueryParamMatchInput":
		param := config.Get("query_param").Text()
		path, _, open := h.Known(":path")
		value, ok := match.QueryParams(path)[param]
		return datum{"query parameter " + param, value, match.Of(ok).Or(open)}
	case "UriSanInput":
		if !m.w.mutual() {
			return datum{name: "URI in the client's certificate"}
		}
		return datum{"URI in the client's certificate", m.w.opts.Peer, known(m.w.opts.Peer != "", "URI in the client's certificate")}
	case "DnsSanInput", "SubjectInput":
		if !m.w.mutual() {
			return datum{name: "name in the client's certificate"}
		}
		return datum{name: "name in the client's certificate", have: known(false, "name in the client's certificate")}
	case "HttpResponseHeaderMatchInput", "HttpResponseTrailerMatchInput", "HttpRequestTrailerMatchInput", "HttpResponseStatusCodeMatchInput":
		return datum{name: kind} // there is no response yet
	}
	name := first(kind, "an unknown input")
	return datum{name: name, have: match.Depends("matcher input "+name, "what the matcher input "+name+" reads is not known")}
}

// known is yes for what is known and open for what is not.
func known(b bool, what string) match.Truth {
	if b {
		return match.Yes
	}
	return match.Depends(what, "the request does not say it: "+what)
}

// networkInput reads an input of envoy.extensions.matching.common_inputs.network.v3.
func (m *matching) networkInput(kind string) (d datum, ok bool) {
	c := &m.w.conn
	text := func(name, value string) (datum, bool) { return datum{name, value, match.Of(value != "")}, true }
	end := func(name string, end netip.AddrPort, value string) (datum, bool) {
		return datum{name, value, known(end.IsValid(), name)}, true
	}
	source := m.w.downstreamRemote()
	switch kind {
	case "DestinationIPInput", "DestinationPortInput":
		if c.local == nowhere {
			return datum{name: "destination of a connection inside of the proxy"}, true
		}
		if kind == "DestinationPortInput" {
			return text("destination port", fmt.Sprint(c.local.Port()))
		}
		return text("destination address", c.local.Addr().String())
	case "DirectSourceIPInput":
		return end("direct source address", c.direct, c.direct.Addr().String())
	case "SourceIPInput":
		return end("source address", source, source.Addr().String())
	case "SourcePortInput":
		return end("source port", source, fmt.Sprint(source.Port()))
	case "SourceTypeInput":
		if rankSourceType(&chainMatch{sourceType: "SAME_IP_OR_LOOPBACK"}, c) > 0 {
			return text("source type", "local")
		}
		return text("source type", "")
	case "ServerNameInput":
		return text("server name", c.serverName)
	case "TransportProtocolInput":
		return text("transport protocol", c.transport)
	case "ApplicationProtocolInput":
		if len(c.alpn) == 0 {
			return text("application protocol", "")
		}
		return text("application protocol", "'"+strings.Join(c.alpn, "','")+"'")
	}
	return datum{}, false
}

// downstreamRemote is the client as Envoy's stream information has it: the connection's source, or once a connection manager
// has looked at the request whom x-forwarded-for names.
func (w *walk) downstreamRemote() netip.AddrPort {
	if w.client.IsValid() && w.client != w.conn.remote.Addr() {
		return netip.AddrPortFrom(w.client, 0)
	}
	return w.conn.remote
}
