package infer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// A RequestKey is one key of a request in JSON.
type RequestKey struct{ Name, Doc string }

// RequestKeys are the keys that a request in JSON may have, in the order in which they are
// documented. All but the destination may be left out: url, or address and port.
var RequestKeys = []RequestKey{
	{"id", "name of the request, which its answer has too"},
	{
		"url", "what is called, such as http://reviews:9080/x: gives address, port, scheme, authority and path that " +
			"are not given",
	},
	{"address", "original destination: an IP address, before any redirect"},
	{"port", "original destination port"},
	{"direction", "outbound (default), inbound, or gateway for a listener that is dialled itself"},
	{"redirect", "ip:port or port of the proxy's socket that netfilter takes it to (default: from the dump)"},
	{"source", "ip:port of the client"},
	{"directSource", "ip:port of the socket's own peer, where a PROXY protocol header says another source"},
	{"protocol", "http (default), http1.0, http2, http3, grpc, tcp or udp"},
	{"tls", "plaintext (default), tls or mtls: what the client offers"},
	{"sni", "server name in the client's ClientHello"},
	{"alpn", "list of protocols in the client's ClientHello"},
	{"scheme", "http (default) or https"},
	{"authority", "Host or :authority"},
	{"method", "GET (default), …"},
	{"path", "with the query string; default /"},
	{"headers", "object of names and values"},
	{"inner", "what a CONNECT carries: another request, whose address is the CONNECT's"},
	{"random", "number that picks among weighted clusters (default: the set is the answer)"},
}

// A lineRequest is a request as a line of a batch has it.
type lineRequest struct {
	flow.Request
	URL string `json:"url"`
}

// ReadRequest reads one request in JSON. Keys that are not among RequestKeys are an error, and so
// is anything behind the object. A url is resolved as Address does.
func (e *Engine) ReadRequest(text []byte) (flow.Request, error) {
	var r lineRequest
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r.Request, requestError(err, text, d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r.Request, fmt.Errorf("%w: more than one JSON value on the line, at column %d", ErrRequest,
			d.InputOffset()+1)
	}
	if r.URL != "" {
		if err := e.Address(&r.Request, r.URL, r.Address); err != nil {
			return r.Request, err
		}
	}
	return r.Request, nil
}

// requestError says what in a line is no request, and where.
func requestError(err error, text []byte, offset int64) error {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: column %d: %w", ErrRequest, syntax.Offset, err)
	case errors.As(err, &typed):
		return fmt.Errorf("%w: column %d: key %q is a %s and not a %s", ErrRequest,
			typed.Offset, typed.Field, typed.Value, typed.Type)
	}
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		at := bytes.Index(text, []byte(key)) + 1
		var names []string
		for _, k := range RequestKeys {
			names = append(names, k.Name)
		}
		return fmt.Errorf("%w: column %d: no key %s (there are %s)", ErrRequest, at, key, strings.Join(names, ", "))
	}
	return fmt.Errorf("%w: column %d: %w", ErrRequest, offset+1, err)
}
