package passage

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// PlaceholderID has the form of the x-request-id that Envoy makes; which one it makes is chance.
const PlaceholderID = "00000000-0000-4000-8000-000000000000"

// MaxInside bounds how many internal connections one request may take: a forged dump
// may let them go round.
const MaxInside = 8

// Decisive returns a header that decides something, and notes where it is open: its other
// values are not followed.
func (w *Walk) Decisive(name string, what flow.What, at configdump.Value) (value string, given bool) {
	if cause, open := w.Req.Header.Open(name); open {
		w.Open(what, cause.On, "header "+name+" decides, and "+cause.Why, at)
	}
	return w.Req.Header.Get(name)
}

// A Request is a flow.Request with its defaults filled in and its addresses parsed.
type Request struct {
	flow.Request
	Dst netip.AddrPort // original destination
	Src netip.AddrPort // not valid when unknown
	// where netfilter takes the connection, as the request says it; the port is 0 where it does not
	To     netip.AddrPort
	Direct netip.AddrPort // the socket's own peer: src, unless the request says another; not valid when unknown
	Header *match.Headers
}

// ErrRequest is in the chain of every error about a request that makes no sense.
var ErrRequest = errors.New("read request")

// The protocols a request can speak.
const (
	HTTP10 = "http1.0"
	HTTP11 = "http"
	HTTP2  = "http2"
	GRPC   = "grpc"
	TCP    = "tcp"
	HTTP3  = "http3"
)

// Normalise fills in the defaults that spec and flow.Request name and rejects what
// cannot be a request.
func Normalise(req flow.Request) (Request, error) { return normaliseAt(req, 0) }

// normaliseAt is Normalise for what is inside of so many others.
func normaliseAt(req flow.Request, depth int) (Request, error) {
	if depth > MaxInside {
		return Request{}, fmt.Errorf("%w: more than %d requests inside of each other", ErrRequest, MaxInside)
	}
	r := Request{Request: req}
	r.Protocol = cmp.Or(r.Protocol, HTTP11)
	r.TLS = cmp.Or(r.TLS, flow.Plaintext)
	r.Scheme = cmp.Or(r.Scheme, "http")
	r.Method = cmp.Or(r.Method, "GET")
	r.Path = cmp.Or(r.Path, "/")
	if r.Direction == "" {
		r.Direction = flow.Outbound
	}
	if r.Protocol == "http1.1" || r.Protocol == "http/1.1" {
		r.Protocol = HTTP11
	}
	addr, err := netip.ParseAddr(req.Address)
	switch {
	case err != nil:
		return r, fmt.Errorf("%w: address %q is not an IP address", ErrRequest, req.Address)
	case req.Port == 0 || req.Port > 65535:
		return r, fmt.Errorf("%w: port %d is not between 1 and 65535", ErrRequest, req.Port)
	case !slices.Contains([]string{string(flow.Outbound), string(flow.Inbound), string(flow.Gateway)},
		string(r.Direction)):
		return r, fmt.Errorf("%w: direction %q (outbound, inbound or gateway)", ErrRequest, req.Direction)
	case !slices.Contains([]string{HTTP10, HTTP11, HTTP2, HTTP3, GRPC, TCP, proxy.UDP}, r.Protocol):
		return r, fmt.Errorf("%w: protocol %q (http, http1.0, http2, http3, grpc, tcp or udp)",
			ErrRequest, req.Protocol)
	case !slices.Contains([]string{flow.Plaintext, flow.TLS, flow.MTLS}, r.TLS):
		return r, fmt.Errorf("%w: tls %q (plaintext, tls or mtls)", ErrRequest, req.TLS)
	}
	r.Dst = netip.AddrPortFrom(addr.Unmap(), uint16(req.Port))
	if r.Src, err = endOf("source", req.Source); err != nil {
		return r, err
	}
	if r.Direct, err = endOf("directSource", cmp.Or(req.DirectSource, req.Source)); err != nil {
		return r, err
	}
	if req.Inner != nil {
		inner := *req.Inner
		inner.Address, inner.Port, inner.Direction = req.Address, req.Port, flow.Gateway
		if _, err := normaliseAt(inner, depth+1); err != nil {
			return r, fmt.Errorf("inner: %w", err)
		}
	}
	if r.To, err = listenerOf(req.Redirect); err != nil {
		return r, err
	}
	if r.Protocol == HTTP3 {
		if r.TLS == flow.Plaintext { // QUIC has no other
			r.TLS = flow.TLS
		}
		if len(r.ALPN) == 0 {
			r.ALPN = []string{"h3"}
		}
	}
	r.SNI = strings.ToLower(r.SNI) // ConnectionSocketImpl::setRequestedServerName
	r.Header = newHeaders(&r)
	return r, nil
}

// listenerOf reads where netfilter takes a connection: ip:port, or a port alone.
func listenerOf(text string) (netip.AddrPort, error) {
	if port, err := strconv.ParseUint(strings.TrimPrefix(text, ":"), 10, 16); err == nil && port > 0 {
		return netip.AddrPortFrom(netip.Addr{}, uint16(port)), nil
	}
	to, err := netip.ParseAddrPort(text)
	if text != "" && err != nil {
		return to, fmt.Errorf("%w: redirect %q is neither a port nor ip:port", ErrRequest, text)
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
			return end, fmt.Errorf("%w: %s %q is neither ip:port nor an IP address", ErrRequest, field, text)
		}
		end = netip.AddrPortFrom(ip, 0)
	}
	return netip.AddrPortFrom(end.Addr().Unmap(), end.Port()), nil
}

// IsHTTP says whether the request is HTTP of any version.
func (r *Request) IsHTTP() bool { return r.Protocol != TCP && r.Protocol != proxy.UDP }

// Transport is the transport protocol below.
func (r *Request) Transport() string {
	if r.Protocol == HTTP3 || r.Protocol == proxy.UDP {
		return proxy.UDP
	}
	return proxy.OverTCP
}

// IsHTTP2 says whether the request is carried by the frames of HTTP/2, or by those of HTTP/3,
// which are checked alike.
func (r *Request) IsHTTP2() bool { return slices.Contains([]string{HTTP2, GRPC, HTTP3}, r.Protocol) }

// Encrypted says whether the client's first bytes are a ClientHello.
func (r *Request) Encrypted() bool { return r.TLS != flow.Plaintext }

// newHeaders builds the headers of a request. What the HTTP connection manager adds by itself is
// added later, when its configuration is known.
func newHeaders(r *Request) *match.Headers {
	h := match.NewHeaders(r.Headers.Joined())
	h.NotKnown(r.Unknown, match.Cause{On: flow.OnClient, Why: "which value the client sends in it is not known"})
	if host, ok := h.All()["host"]; ok {
		r.Authority = cmp.Or(r.Authority, host)
		delete(h.All(), "host")
	}
	if !r.IsHTTP() {
		return h
	}
	if r.Authority != "" {
		h.Set(":authority", r.Authority)
	}
	h.Set(":method", r.Method)
	if r.IsHTTP2() || r.Method != "CONNECT" { // HTTP/1's CONNECT has an authority for its target and no path
		h.Set(":path", r.Path)
	}
	if r.IsHTTP2() { // HTTP/1 does not carry a scheme
		h.Set(":scheme", r.Scheme)
	}
	if r.Protocol == GRPC {
		if _, ok := h.Get("content-type"); !ok {
			h.Set("content-type", "application/grpc")
		}
	}
	return h
}

// RewrittenHost is the host that the route gives to the request; "" where it leaves
// the request's own.
func (w *Walk) RewrittenHost() string {
	if w.Out.Rewrite == nil {
		return ""
	}
	return w.Out.Rewrite.Host
}
