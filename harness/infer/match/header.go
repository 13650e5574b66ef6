package match

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// Header evaluates envoy.config.route.v3.HeaderMatcher: HeaderUtility::matchHeaders.
func Header(m configdump.Value, h *Headers) Truth {
	result := headerResult(m, h)
	if c, open := h.Open(m.Get("name").Text()); open {
		return c.Opened(result)
	}
	return result
}

// headerResult is the answer for the header as it is.
func headerResult(m configdump.Value, h *Headers) Truth {
	invert := m.Get("invert_match").Bool()
	values := h.Values(m.Get("name").Text())
	ok := values != nil
	kind, spec := headerSpecifier(m)
	if kind == "present_match" {
		present := ok || m.Get("treat_missing_header_as_empty").Bool()
		return Of((present == (spec.Bool() || !spec.Exists())) != invert)
	}
	if !ok && !m.Get("treat_missing_header_as_empty").Bool() {
		return No // inverted or not: only present_match says anything about a header that is not there
	}
	if !ok {
		values = []string{""}
	}
	result := No
	for _, value := range values { // each by itself, as Envoy 1.40 does
		if t := headerValue(kind, spec, value); t.Yes() {
			result = t
			break
		} else if t.Open() {
			result = t
		}
	}
	if invert {
		return result.Not()
	}
	return result
}

// headerSpecifier returns the header_match_specifier; none at all means present_match: true.
func headerSpecifier(m configdump.Value) (kind string, v configdump.Value) {
	for name, v := range m.Fields() {
		switch name = configdump.FieldName(name); name {
		case "name", "invert_match", "treat_missing_header_as_empty", "hidden_envoy_deprecated_regex_match":
		default:
			return name, v
		}
	}
	return "present_match", configdump.Value{}
}

func headerValue(kind string, spec configdump.Value, value string) Truth {
	switch kind {
	case "exact_match":
		return Of(value == spec.Text() || spec.Text() == "")
	case "prefix_match":
		return Of(strings.HasPrefix(value, spec.Text()))
	case "suffix_match":
		return Of(strings.HasSuffix(value, spec.Text()))
	case "contains_match":
		return Of(strings.Contains(value, spec.Text()))
	case "safe_regex_match":
		return Regex(spec, value)
	case "regex_match": // until Envoy 1.18
		return Of(fullMatch(spec.Text(), value))
	case "string_match":
		return String(spec, value)
	case "range_match": // start inclusive, end exclusive; what is no whole number matches nothing
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		return Of(err == nil && n >= spec.Get("start").Int() && n < spec.Get("end").Int())
	}
	return Depends("header matcher "+kind, "what the header matcher "+kind+" tests is not known")
}

// HeaderText shows a header matcher.
func HeaderText(m configdump.Value) string {
	name := m.Get("name").Text()
	kind, spec := headerSpecifier(m)
	not := ""
	if m.Get("invert_match").Bool() {
		not = "not "
	}
	switch kind {
	case "present_match":
		if spec.Exists() && !spec.Bool() {
			return name + " has to be " + not + "absent"
		}
		return name + " has to be " + not + "present"
	case "range_match":
		return fmt.Sprintf("%s has to be %sin [%d, %d)", name, not, spec.Get("start").Int(), spec.Get("end").Int())
	case "safe_regex_match":
		return name + " has to " + not + "match " + spec.Get("regex").Text()
	case "string_match":
		return name + " has to be " + not + StringText(spec)
	}
	return name + " has to be " + not + strings.TrimSuffix(kind, "_match") + " " + spec.Text()
}
