package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Headers are the headers of a request by their names in lower case, each with its values in
// the order in which they are sent. In JSON a header with one value is a string, and one with
// several a list of them.
type Headers map[string][]string

// Add adds a value to a header.
func (h *Headers) Add(name, value string) {
	if *h == nil {
		*h = Headers{}
	}
	name = strings.ToLower(strings.TrimSpace(name))
	(*h)[name] = append((*h)[name], value)
}

// Clone returns a copy that shares nothing.
func (h Headers) Clone() Headers {
	if h == nil {
		return nil
	}
	all := make(Headers, len(h))
	for name, values := range h {
		all[name] = slices.Clone(values)
	}
	return all
}

// Get returns a header as one value, as Envoy joins several where it looks at one: by a comma, and
// cookies by a semicolon; source: Envoy's HeaderMapImpl::appendToHeader and
// HeaderUtility::getAllOfHeaderAsString.
func (h Headers) Get(name string) string {
	name = strings.ToLower(name)
	if name == "cookie" {
		return strings.Join(h[name], "; ")
	}
	return strings.Join(h[name], ",")
}

// Joined are the headers with one value each: see Get.
func (h Headers) Joined() map[string]string {
	if h == nil {
		return nil
	}
	joined := make(map[string]string, len(h))
	for name := range h {
		joined[strings.ToLower(name)] = h.Get(name)
	}
	return joined
}

// MarshalJSON writes a string for one value, and a list for several.
func (h Headers) MarshalJSON() ([]byte, error) {
	forms := make(map[string]any, len(h))
	for name, values := range h {
		if len(values) == 1 {
			forms[name] = values[0]
		} else {
			forms[name] = values
		}
	}
	return json.Marshal(forms)
}

// UnmarshalJSON reads both forms. Blanks around a value are no part of it: RFC 9110, 5.5.
func (h *Headers) UnmarshalJSON(text []byte) error {
	var forms map[string]json.RawMessage
	if err := json.Unmarshal(text, &forms); err != nil {
		return err
	}
	if forms == nil {
		*h = nil
		return nil
	}
	*h = make(Headers, len(forms))
	for name, raw := range forms {
		var one string
		var several []string
		if json.Unmarshal(raw, &one) == nil {
			several = []string{one}
		} else if err := json.Unmarshal(raw, &several); err != nil {
			return fmt.Errorf("header %s: its value is neither a string nor a list of strings", name)
		}
		for i := range several {
			several[i] = strings.Trim(several[i], " \t")
		}
		(*h)[name] = several
	}
	return nil
}
