package infer

import (
	"slices"
	"strings"
)

// headers are a request's headers as the router sees them: names in lower case, with the pseudo-headers of HTTP/2.
type headers struct {
	all map[string]string
}

// newHeaders builds the header map of a request. What the HTTP connection manager adds by itself is added later, when
// its configuration is known.
func newHeaders(r *request) headers {
	h := headers{all: make(map[string]string, len(r.Headers)+4)}
	for name, value := range r.Headers {
		h.all[strings.ToLower(name)] = value
	}
	if host, ok := h.all["host"]; ok {
		setDefault(&r.Authority, host)
		delete(h.all, "host")
	}
	if !r.isHTTP() {
		return h
	}
	if r.Authority != "" {
		h.all[":authority"] = r.Authority
	}
	h.all[":method"] = r.Method
	h.all[":path"] = r.Path
	if r.isHTTP2() { // HTTP/1 does not carry a scheme
		h.all[":scheme"] = r.Scheme
	}
	if r.Protocol == grpc {
		if _, ok := h.all["content-type"]; !ok {
			h.all["content-type"] = "application/grpc"
		}
	}
	return h
}

// get returns a header's value. "host" is the authority, as Envoy stores it.
func (h headers) get(name string) (string, bool) {
	name = strings.ToLower(name)
	if name == "host" {
		name = ":authority"
	}
	v, ok := h.all[name]
	return v, ok
}

// set replaces a header.
func (h headers) set(name, value string) { h.all[name] = value }

// remove takes headers out.
func (h headers) remove(names ...string) {
	for _, n := range names {
		delete(h.all, n)
	}
}

// names returns the names of all headers in order.
func (h headers) names() []string {
	names := make([]string, 0, len(h.all))
	for n := range h.all {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
