package matcher

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
)

// A datum is what a matcher's input gave.
type datum struct {
	name  string // what was asked for, as a sentence says it
	value string
	have  match.Truth // No: there is none; open: what it is is not known
}

// input reads what a data input names.
func (m *Matching) input(v configdump.Value) datum {
	config, kind := v.Get("typed_config").Typed()
	kind = kind[strings.LastIndexByte(kind, '.')+1:]
	if d, ok := m.networkInput(kind); ok {
		return d
	}
	h := m.W.Req.Header
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
	case "UriSanInput", "DnsSanInput", "SubjectInput":
		if !m.W.Conn.Terminated {
			return m.without("certificate of clear text")
		}
	}
	switch kind {
	case "UriSanInput":
		if !m.W.Mutual() {
			return datum{name: "URI in the client's certificate"}
		}
		return datum{"URI in the client's certificate", m.W.Opts.Peer,
			Known(m.W.Opts.Peer != "", "URI in the client's certificate")}
	case "DnsSanInput", "SubjectInput":
		if !m.W.Mutual() {
			return datum{name: "name in the client's certificate"}
		}
		return datum{name: "name in the client's certificate", have: Known(false, "name in the client's certificate")}
	case "HttpResponseHeaderMatchInput", "HttpResponseTrailerMatchInput", "HttpRequestTrailerMatchInput",
		"HttpResponseStatusCodeMatchInput", "HttpResponseStatusCodeClassMatchInput", "HttpResponseLocalReplyMatchInput":
		return m.response(kind)
	}
	name := cmp.Or(kind, "an unknown input")
	return datum{
		name: name, have: match.Depends("matcher input "+name, "what the matcher input "+name+" reads is not known"),
	}
}

// without is an input that is not there and will not be: a condition on it ends the search where it
// decides, as one on the response does. (Matcher::DataInputGetResult, NotAvailable)
func (m *Matching) without(what string) datum {
	m.waits = true
	return datum{name: what, have: match.Depends(what, "there is none")}
}

// response reads an input of the response: of the proxy's own answer, or of none.
func (m *Matching) response(kind string) datum {
	switch {
	case m.Status == 0 || strings.Contains(kind, "Trailer"):
		return datum{name: kind} // there is no response yet
	case kind == "HttpResponseStatusCodeMatchInput":
		return datum{"response code", fmt.Sprint(m.Status), match.Yes}
	case kind == "HttpResponseStatusCodeClassMatchInput":
		return datum{"class of the response code", fmt.Sprintf("%dxx", m.Status/100), match.Yes}
	case kind == "HttpResponseLocalReplyMatchInput":
		return datum{"answer of the proxy itself", "true", match.Yes}
	}
	return datum{name: kind,
		have: match.Depends("the answer's headers", "which headers the proxy's own answer has is not known")}
}

// Known is yes for what is known and open for what is not.
func Known(b bool, what string) match.Truth {
	if b {
		return match.Yes
	}
	return match.Depends(what, "the request does not say it: "+what)
}

// networkInput reads an input of envoy.extensions.matching.common_inputs.network.v3.
func (m *Matching) networkInput(kind string) (d datum, ok bool) {
	c := &m.W.Conn
	text := func(name, value string) (datum, bool) { return datum{name, value, match.Of(value != "")}, true }
	end := func(name string, end netip.AddrPort, value string) (datum, bool) {
		return datum{name, value, Known(end.IsValid(), name)}, true
	}
	source := m.W.DownstreamRemote()
	switch kind {
	case "DestinationIPInput", "DestinationPortInput":
		if c.Local == passage.Nowhere {
			return datum{name: "destination of a connection inside of the proxy"}, true
		}
		if kind == "DestinationPortInput" {
			return text("destination port", fmt.Sprint(c.Local.Port()))
		}
		return text("destination address", c.Local.Addr().String())
	case "DirectSourceIPInput":
		return end("direct source address", c.Direct, c.Direct.Addr().String())
	case "SourceIPInput":
		return end("source address", source, source.Addr().String())
	case "SourcePortInput":
		return end("source port", source, fmt.Sprint(source.Port()))
	case "SourceTypeInput":
		if c.SameHost() {
			return text("source type", "local")
		}
		return text("source type", "")
	case "ServerNameInput":
		return text("server name", c.ServerName)
	case "TransportProtocolInput":
		return text("transport protocol", c.Transport)
	case "ApplicationProtocolInput":
		if len(c.Alpn) == 0 {
			return text("application protocol", "")
		}
		return text("application protocol", "'"+strings.Join(c.Alpn, "','")+"'")
	}
	return datum{}, false
}
