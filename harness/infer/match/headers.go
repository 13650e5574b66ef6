package match

import (
	"slices"
	"strings"
)

// A Cause is why a value is not known: On names what may have changed it, Why says
// so in a sentence.
type Cause struct{ On, Why string }

// Headers are a request's headers as Envoy's filters see them: names in lower case, the
// pseudo-headers of HTTP/2 among them. A header that a filter may have changed is open. The methods
// of a nil *Headers are those of a connection that has none.
type Headers struct {
	all    map[string]string
	more   map[string][]string // the values after the first
	open   map[string]Cause    // by name
	any    *Cause              // every header is open that was not set since
	set    map[string]bool     // set since any
	pseudo bool                // any includes the pseudo-headers

	changes int
}

// NewHeaders returns the headers of a map, whose names may have any case. Blanks around a value are
// no part of it. (RFC 9110, section 5.5)
func NewHeaders(from map[string]string) *Headers {
	h := &Headers{all: make(map[string]string, len(from)+4)}
	for name, value := range from {
		h.all[Lower(name)] = strings.Trim(value, " \t")
	}
	return h
}

// key is the name under which a header is kept. "host" is the authority, as Envoy stores it.
func key(name string) string {
	name = Lower(name)
	if name == "host" {
		return ":authority"
	}
	return name
}

// Get returns a header's value as far as it is known, the first where it has several.
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
	if h.any != nil && !h.set[key(name)] && (h.pseudo || !strings.HasPrefix(key(name), ":")) {
		return *h.any, true
	}
	return Cause{}, false
}

// AnyOpen says whether a filter may have changed a header.
func (h *Headers) AnyOpen() bool { return h != nil && (h.any != nil || len(h.open) > 0) }

// Known returns a header's value where it is known, and otherwise an open Truth.
func (h *Headers) Known(name string) (value string, ok bool, open Truth) {
	if c, is := h.Open(name); is {
		return "", false, Depends(c.On, c.Why)
	}
	value, ok = h.Get(name)
	return value, ok, No
}

// Or opens a condition on a header that is open.
func (h *Headers) Or(name string, t Truth) Truth {
	if c, open := h.Open(name); open {
		return c.Opened(t)
	}
	return t
}

// Loosen opens a header: from now on its value is not known.
func (h *Headers) Loosen(name string, c Cause) {
	if h.open == nil {
		h.open = map[string]Cause{}
	}
	h.open[key(name)] = c
}

// LoosenAll opens every header; with pseudo those of path, authority and method too.
func (h *Headers) LoosenAll(c Cause, pseudo bool) {
	h.any, h.open, h.set = &c, nil, nil
	h.pseudo = h.pseudo || pseudo
}

// NotKnown opens headers that came with a request, as names of them; "*" stands for all but those
// that are there.
func (h *Headers) NotKnown(names []string, c Cause) {
	if slices.Contains(names, "*") {
		h.LoosenAll(c, false)
		for name := range h.all {
			h.settled(name)
		}
	}
	for _, name := range names {
		if name != "*" {
			h.Loosen(name, c)
		}
	}
}

// Inherit opens what is open in the headers of the proxy before, with its causes.
func (h *Headers) Inherit(before *Headers) {
	if before == nil {
		return
	}
	h.any, h.pseudo = before.any, before.pseudo
	for name := range before.set {
		h.settled(name)
	}
	for name, c := range before.open {
		h.Loosen(name, c)
	}
}

// Loosened says which cause opened every header, or nil.
func (h *Headers) Loosened() (c *Cause, pseudo bool) { return h.any, h.pseudo }

// Set replaces a header by a value that is known.
func (h *Headers) Set(name, value string) {
	h.all[key(name)] = value
	delete(h.more, key(name))
	h.settled(key(name))
}

// SetFrom is Set for a value that is made of other headers, or set only where those say so: where
// one of them is open, so is the header.
func (h *Headers) SetFrom(name, value string, from ...string) {
	for _, f := range from {
		if c, open := h.Open(f); open {
			h.all[key(name)] = value
			delete(h.more, key(name))
			h.changes++
			h.Loosen(name, c)
			return
		}
	}
	h.Set(name, value)
}

// settled notes that a header is known again.
func (h *Headers) settled(key string) {
	h.changes++
	delete(h.open, key)
	if h.any != nil {
		if h.set == nil {
			h.set = map[string]bool{}
		}
		h.set[key] = true
	}
}

// Append adds a value to a header. One that is open stays open: what it had before is not known.
func (h *Headers) Append(name, value string) {
	if _, ok := h.Get(name); !ok {
		h.SetFrom(name, value, name)
		return
	}
	if key := key(name); inline(key) {
		by := ","
		if key == "cookie" {
			by = "; "
		}
		h.all[key] += by + value
		h.changes++
		return
	}
	if h.more == nil {
		h.more = map[string][]string{}
	}
	h.more[key(name)] = append(h.more[key(name)], value)
	h.changes++
}

// inline says whether Envoy keeps a header in a place of its own, where it has one value: what is
// appended is joined to it. (INLINE_REQ_STRING_HEADERS of envoy/http/header_map.h, and what filters
// register: CustomInlineHeaderRegistry)
func inline(key string) bool {
	switch key {
	case "authorization", "origin", "referer", "via", "te", "upgrade", "connection", "grpc-timeout",
		"x-request-id", "cookie",
		"content-type", "user-agent", "accept-encoding", "access-control-request-method", "x-client-trace-id", "expect":
		return true
	}
	return strings.HasPrefix(key, "x-forwarded-") || strings.HasPrefix(key, "x-envoy-")
}

// Values returns all values of a header.
func (h *Headers) Values(name string) []string {
	first, ok := h.Get(name)
	if !ok {
		return nil
	}
	return append([]string{first}, h.more[key(name)]...)
}

// Joined returns all values of a header with commas between: HeaderUtility::getAllOfHeaderAsString.
func (h *Headers) Joined(name string) (string, bool) {
	values := h.Values(name)
	return strings.Join(values, ","), values != nil
}

// Remove takes headers out.
func (h *Headers) Remove(names ...string) {
	for _, n := range names {
		delete(h.all, key(n))
		delete(h.more, key(n))
		h.settled(key(n))
	}
}

// All returns the headers by name; the map is not to be changed.
func (h *Headers) All() map[string]string {
	if h == nil {
		return nil
	}
	return h.all
}

// Changes counts how often a header was changed.
func (h *Headers) Changes() int { return h.changes }

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
