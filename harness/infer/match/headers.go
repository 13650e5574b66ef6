package match

import (
	"slices"
	"strings"
)

// A Cause is why a value is not known: On names what may have changed it, Why says so in a sentence.
type Cause struct{ On, Why string }

// Headers are a request's headers as Envoy's filters see them: names in lower case, the pseudo-headers of HTTP/2 among them,
// values of one name joined by a comma. A header that a filter may have changed is open. The methods of a nil *Headers are
// those of a connection that has none.
type Headers struct {
	all  map[string]string
	open map[string]Cause // by name
	any  *Cause           // every header is open
}

// NewHeaders returns the headers of a map, whose names may have any case.
func NewHeaders(from map[string]string) *Headers {
	h := &Headers{all: make(map[string]string, len(from)+4)}
	for name, value := range from {
		h.all[strings.ToLower(name)] = value
	}
	return h
}

// key is the name under which a header is kept. "host" is the authority, as Envoy stores it.
func key(name string) string {
	name = strings.ToLower(name)
	if name == "host" {
		return ":authority"
	}
	return name
}

// Get returns a header's value as far as it is known.
func (h *Headers) Get(name string) (string, bool) {
	if h == nil {
		return "", false
	}
	v, ok := h.all[key(name)]
	return v, ok
}

// Open says whether a filter may have changed the header, and which.
func (h *Headers) Open(name string) (Cause, bool) {
	if h == nil {
		return Cause{}, false
	}
	if c, ok := h.open[key(name)]; ok {
		return c, true
	}
	if h.any != nil {
		return *h.any, true
	}
	return Cause{}, false
}

// Known returns a header's value where it is known, and otherwise an open Truth.
func (h *Headers) Known(name string) (value string, ok bool, open Truth) {
	if c, is := h.Open(name); is {
		return "", false, Depends(c.On, c.Why)
	}
	value, ok = h.Get(name)
	return value, ok, No
}

// Loosen opens a header: from now on its value is not known.
func (h *Headers) Loosen(name string, c Cause) {
	if h.open == nil {
		h.open = map[string]Cause{}
	}
	h.open[key(name)] = c
}

// LoosenAll opens every header.
func (h *Headers) LoosenAll(c Cause) { h.any = &c }

// Set replaces a header by a value that is known.
func (h *Headers) Set(name, value string) {
	h.all[key(name)] = value
	delete(h.open, key(name))
}

// Append adds a value to a header.
func (h *Headers) Append(name, value string) {
	if before, ok := h.Get(name); ok && before != "" {
		value = before + "," + value
	}
	h.all[key(name)] = value
}

// Remove takes headers out.
func (h *Headers) Remove(names ...string) {
	for _, n := range names {
		delete(h.all, key(n))
		delete(h.open, key(n))
	}
}

// All returns the headers by name; the map is not to be changed.
func (h *Headers) All() map[string]string {
	if h == nil {
		return nil
	}
	return h.all
}

// Names returns the names of all headers in order.
func (h *Headers) Names() []string {
	names := make([]string, 0, len(h.All()))
	for n := range h.All() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// IsGRPC says whether the content type is gRPC's: Grpc::Common::isGrpcRequestHeaders.
func IsGRPC(h *Headers) bool {
	t, _ := h.Get("content-type")
	return t == "application/grpc" || strings.HasPrefix(t, "application/grpc+")
}
