package infer

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/internal/redact"
)

// headerMatches evaluates envoy.config.route.v3.HeaderMatcher: HeaderUtility::matchHeaders.
func headerMatches(m configdump.Value, h headers) bool {
	invert := m.Get("invert_match").Bool()
	value, ok := h.get(m.Get("name").Text())
	kind, spec := headerSpecifier(m)
	if kind == "present_match" {
		present := ok || m.Get("treat_missing_header_as_empty").Bool()
		return (present == (spec.Bool() || !spec.Exists())) != invert
	}
	if !ok && !m.Get("treat_missing_header_as_empty").Bool() {
		return false // inverted or not: only present_match says anything about a header that is not there
	}
	return headerValueMatches(kind, spec, value) != invert
}

// headerSpecifier returns the header_match_specifier; none at all means present_match: true.
func headerSpecifier(m configdump.Value) (kind string, v configdump.Value) {
	for name, v := range m.Fields() {
		switch name = configdump.FieldName(name); name {
		case "exact_match", "safe_regex_match", "range_match", "present_match", "prefix_match", "suffix_match",
			"contains_match", "string_match", "regex_match":
			return name, v
		}
	}
	return "present_match", configdump.Value{}
}

func headerValueMatches(kind string, spec configdump.Value, value string) bool {
	switch kind {
	case "exact_match":
		return value == spec.Text() || spec.Text() == ""
	case "prefix_match":
		return strings.HasPrefix(value, spec.Text())
	case "suffix_match":
		return strings.HasSuffix(value, spec.Text())
	case "contains_match":
		return strings.Contains(value, spec.Text())
	case "safe_regex_match":
		return regexMatches(spec, value)
	case "regex_match": // until Envoy 1.18
		return fullMatch(spec.Text(), value)
	case "string_match":
		return stringMatches(spec, value)
	case "range_match": // start inclusive, end exclusive; what is no whole number matches nothing
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		return err == nil && n >= spec.Get("start").Int() && n < spec.Get("end").Int()
	}
	return false
}

// headerMatchText shows a header matcher.
func headerMatchText(m configdump.Value) string {
	name := m.Get("name").Text()
	kind, spec := headerSpecifier(m)
	not := ""
	if m.Get("invert_match").Bool() {
		not = "not "
	}
	switch kind {
	case "present_match":
		if isFalse(spec) {
			return name + " has to be " + not + "absent"
		}
		return name + " has to be " + not + "present"
	case "range_match":
		return fmt.Sprintf("%s has to be %sin [%d, %d)", name, not, spec.Get("start").Int(), spec.Get("end").Int())
	case "safe_regex_match":
		return name + " has to " + not + "match " + spec.Get("regex").Text()
	case "string_match":
		return name + " has to be " + not + matcherText(spec)
	}
	return name + " has to be " + not + strings.TrimSuffix(kind, "_match") + " " + spec.Text()
}

// shownValue is a header's value as it may be shown.
func shownValue(name, value string) string { return redact.Header(name, value) }
