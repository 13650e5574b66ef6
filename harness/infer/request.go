package infer

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// A request is a flow.Request with its defaults filled in and its addresses parsed.
type request struct {
	flow.Request
	dst    netip.AddrPort // original destination
	src    netip.AddrPort // not valid when unknown
	to     netip.AddrPort // where netfilter takes the connection, as the request says it; the port is 0 where it does not
	direct netip.AddrPort // the socket's own peer: src, unless the request says another; not valid when unknown
	header *match.Headers
}

// The protocols a request can speak.
const (
	http10 = "http1.0"
	http11 = "http"
	http2  = "http2"
	grpc   = "grpc"
	tcp    = "tcp"
	http3  = "http3"
)

// normalise fills in the defaults that spec and flow.Request name and rejects what cannot be a request.
func normalise(req flow.Request) (request, error) { return normaliseAt(req, 0) }

// normaliseAt is normalise for what is inside of so many others.
func normaliseAt(req flow.Request, depth int) (request, error) {
	if depth > maxInside {
		return request{}, fmt.Errorf("read request: more than %d requests inside of each other", maxInside)
	}
	r := request{Request: req}
	setDefault(&r.Protocol, http11)
	setDefault(&r.TLS, flow.Plaintext)
	setDefault(&r.Scheme, "http")
	setDefault(&r.Method, "GET")
	setDefault(&r.Path, "/")
	if r.Direction == "" {
		r.Direction = flow.Outbound
	}
	if r.Protocol == "http1.1" || r.Protocol == "http/1.1" {
		r.Protocol = http11
	}
	addr, err := netip.ParseAddr(req.Address)
	switch {
	case err != nil:
		return r, fmt.Errorf("read request: address %q is not an IP address", req.Address)
	case req.Port == 0 || req.Port > 65535:
		return r, fmt.Errorf("read request: port %d is not between 1 and 65535", req.Port)
	case !oneOf(string(r.Direction), string(flow.Outbound), string(flow.Inbound), string(flow.Gateway)):
		return r, fmt.Errorf("read request: direction %q (outbound, inbound or gateway)", req.Direction)
	case !oneOf(r.Protocol, http10, http11, http2, http3, grpc, tcp, udp):
		return r, fmt.Errorf("read request: protocol %q (http, http1.0, http2, http3, grpc, tcp or udp)", req.Protocol)
	case !oneOf(r.TLS, flow.Plaintext, flow.TLS, flow.MTLS):
		return r, fmt.Errorf("read request: tls %q (plaintext, tls or mtls)", req.TLS)
	}
	r.dst = netip.AddrPortFrom(addr.Unmap(), uint16(req.Port))
	if r.src, err = endOf("source", req.Source); err != nil {
		return r, err
	}
	if r.direct, err = endOf("directSource", first(req.DirectSource, req.Source)); err != nil {
		return r, err
	}
	if req.Inner != nil {
		inner := *req.Inner
		inner.Address, inner.Port, inner.Direction = req.Address, req.Port, flow.Gateway
		if _, err := normaliseAt(inner, depth+1); err != nil {
			return r, fmt.Errorf("inner: %w", err)
		}
	}
	if r.to, err = listenerOf(req.Redirect); err != nil {
		return r, err
	}
	if r.Protocol == http3 {
		if r.TLS == flow.Plaintext { // QUIC has no other
			r.TLS = flow.TLS
		}
		if len(r.ALPN) == 0 {
			r.ALPN = []string{"h3"}
		}
	}
	r.SNI = strings.ToLower(r.SNI) // ConnectionSocketImpl::setRequestedServerName
	r.header = newHeaders(&r)
	return r, nil
}

// listenerOf reads where netfilter takes a connection: ip:port, or a port alone.
func listenerOf(text string) (netip.AddrPort, error) {
	if port, err := strconv.ParseUint(strings.TrimPrefix(text, ":"), 10, 16); err == nil && port > 0 {
		return netip.AddrPortFrom(netip.Addr{}, uint16(port)), nil
	}
	to, err := netip.ParseAddrPort(text)
	if text != "" && err != nil {
		return to, fmt.Errorf("read request: redirect %q is neither a port nor ip:port", text)
	}
	return to, nil
}

// endOf reads an address with or without a port; an empty text is an end that is not known.
func endOf(field, text string) (netip.AddrPort, error) {
	if text == "" {
		return netip.AddrPort{}, nil
	}
	end, err := netip.ParseAddrPort(text)
	if err != nil {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return end, fmt.Errorf("read request: %s %q is neither ip:port nor an IP address", field, text)
		}
		end = netip.AddrPortFrom(ip, 0)
	}
	return netip.AddrPortFrom(end.Addr().Unmap(), end.Port()), nil
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func oneOf(s string, all ...string) bool {
	for _, a := range all {
		if s == a {
			return true
		}
	}
	return false
}

// isHTTP says whether the request is HTTP of any version.
func (r *request) isHTTP() bool { return r.Protocol != tcp && r.Protocol != udp }

// transport is the transport protocol below.
func (r *request) transport() string {
	if r.Protocol == http3 || r.Protocol == udp {
		return udp
	}
	return overTCP
}

// isHTTP2 says whether the request is carried by the frames of HTTP/2, or by those of HTTP/3, which are checked alike.
func (r *request) isHTTP2() bool { return oneOf(r.Protocol, http2, grpc, http3) }

// encrypted says whether the client's first bytes are a ClientHello.
func (r *request) encrypted() bool { return r.TLS != flow.Plaintext }

// newHeaders builds the headers of a request. What the HTTP connection manager adds by itself is added later, when its
// configuration is known.
func newHeaders(r *request) *match.Headers {
	h := match.NewHeaders(r.Headers.Joined())
	if host, ok := h.All()["host"]; ok {
		setDefault(&r.Authority, host)
		delete(h.All(), "host")
	}
	if !r.isHTTP() {
		return h
	}
	if r.Authority != "" {
		h.Set(":authority", r.Authority)
	}
	h.Set(":method", r.Method)
	if r.isHTTP2() || r.Method != "CONNECT" { // HTTP/1's CONNECT has an authority for its target and no path
		h.Set(":path", r.Path)
	}
	if r.isHTTP2() { // HTTP/1 does not carry a scheme
		h.Set(":scheme", r.Scheme)
	}
	if r.Protocol == grpc {
		if _, ok := h.Get("content-type"); !ok {
			h.Set("content-type", "application/grpc")
		}
	}
	return h
}
