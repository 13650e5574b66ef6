// Package flow is the language of the project: the words in which inference, instruments
// and verdicts speak about the way that one request takes through sidecars. It holds values
// only and does no input or output, so that infer and observe can share its words without
// sharing a line that decides.
package flow

import (
	"net/url"
	"strings"
)

// A Call is a request as a person states it: from which workload to which URL. The same value
// drives inference and the curl that is sent.
type Call struct {
	From      string  `json:"from"`                // workload of the client, as a pod name
	Namespace string  `json:"namespace"`           // namespace of the client's pod
	Container string  `json:"container,omitempty"` // container that sends; empty: the pod's first
	Outside   bool    `json:"outside,omitempty"`   // From is no pod: a client outside of the mesh
	URL       string  `json:"url"`                 // as given to curl; a Service's short name is allowed
	Method    string  `json:"method,omitempty"`    // default GET
	Headers   Headers `json:"headers,omitempty"`
	// Without are names of headers that the client sends by itself, and not with this call.
	Without   []string `json:"withoutHeaders,omitempty"`
	Body      []byte   `json:"-"`                   // is sent, and kept nowhere
	RequestID string   `json:"requestId,omitempty"` // x-request-id that the call is sent with
	// Own are headers that the client sends by itself with this call. Without the field they were
	// not asked for.
	Own Headers `json:"ownHeaders,omitzero"`
	// Unknown are names of headers that the client may send by itself, with values that are not
	// known; "*" stands for any.
	Unknown []string `json:"unknownHeaders,omitempty"`
}

// Parsed is the call's URL without a user and a password, which are sent in a header: where the
// call is kept, they are hidden in a form that no URL has. A URL without a scheme has http's.
func (c Call) Parsed() (*url.URL, error) {
	scheme, rest, ok := strings.Cut(c.URL, "://")
	if !ok {
		scheme, rest = "http", c.URL
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host := rest[strings.LastIndexByte(rest[:end], '@')+1 : end]
	return url.Parse(scheme + "://" + host + rest[end:])
}

// Target is the path with the query that the call's URL is sent with: as they stand there, with any
// characters, without a fragment, and no path at all is /.
func (c Call) Target() string {
	text := c.URL
	if _, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
	}
	text, _, _ = strings.Cut(text, "#")
	i := strings.IndexAny(text, "/?")
	if i < 0 {
		return "/"
	}
	if text = text[i:]; text[0] == '?' {
		text = "/" + text
	}
	return text
}

// SidecarContainer is the name that Istio's injector gives to the container of the sidecar. What is
// sent from there, the rules that capture let pass.
const SidecarContainer = "istio-proxy"

// Direction says which of a proxy's virtual listeners a Request arrives at.
type Direction string

// The directions a request can have, as seen from the proxy that receives it.
const (
	Outbound Direction = "outbound" // captured on its way out of the pod: virtualOutbound, port 15001
	Inbound  Direction = "inbound"  // captured on its way into the pod: virtualInbound, port 15006
	Gateway  Direction = "gateway"  // dialled directly: a listener that is really bound
)

// What a client really offers on a connection.
const (
	Plaintext = "plaintext"
	TLS       = "tls"
	MTLS      = "mtls"
)

// A Request is one connection and one HTTP request (or a TCP stream) as a single proxy
// receives it. Its JSON form is one line of `lab infer --requests`; a missing field takes
// the default named here.
type Request struct {
	ID        string    `json:"id,omitempty"`
	Direction Direction `json:"direction,omitempty"` // default outbound
	Source    string    `json:"source,omitempty"`    // "ip:port" of the client; unknown when empty
	// "ip:port" of the socket's own peer, where a PROXY protocol header says another source
	DirectSource string `json:"directSource,omitempty"`
	Address      string `json:"address"` // original destination IP, before REDIRECT
	Port         uint32 `json:"port"`    // original destination port, before REDIRECT
	// "ip:port" or port of the proxy's socket that netfilter takes it to;
	// default from dump and direction
	Redirect  string   `json:"redirect,omitempty"`
	Protocol  string   `json:"protocol,omitempty"`  // http (default), http2, http3, grpc, tcp, udp, http1.0
	TLS       string   `json:"tls,omitempty"`       // plaintext (default), tls, mtls
	SNI       string   `json:"sni,omitempty"`       // server name in the client's ClientHello
	ALPN      []string `json:"alpn,omitempty"`      // protocols in the client's ClientHello
	Scheme    string   `json:"scheme,omitempty"`    // http (default) or https
	Authority string   `json:"authority,omitempty"` // Host or :authority
	Method    string   `json:"method,omitempty"`    // default GET
	Path      string   `json:"path,omitempty"`      // default /; with the query string
	Headers   Headers  `json:"headers,omitempty"`   // names in lower case
	// names of headers that it may have, with values that are not known; "*" for any but those of
	// Headers
	Unknown []string `json:"unknownHeaders,omitempty"`
	// what a CONNECT carries: a request whose address is the CONNECT's;
	// default a GET for its authority
	Inner  *Request `json:"inner,omitempty"`
	Random *uint64  `json:"random,omitempty"` // picks among weighted clusters; absent: the set is the answer
}
