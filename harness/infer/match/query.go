package match

import (
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// PathOnly returns a path without its query and fragment: Http::PathUtil::removeQueryAndFragment.
func PathOnly(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		return path[:i]
	}
	return path
}

// QueryOf returns the query with its question mark, or "".
func QueryOf(path string) string {
	if i := strings.IndexByte(path, '?'); i >= 0 {
		return path[i:]
	}
	return ""
}

// QueryParams returns the first value of each parameter, as it stands: Envoy
// decodes no escapes here. (QueryParamsMulti::parseQueryString)
func QueryParams(path string) map[string]string {
	return queryParams(path, func(text string) string { return text })
}

// DecodedParams is QueryParams with escapes decoded, in names and values. A + stays.
// (QueryParamsMulti::parseAndDecodeQueryString)
func DecodedParams(path string) map[string]string { return queryParams(path, decoded) }

func queryParams(path string, read func(string) string) map[string]string {
	params := map[string]string{}
	query, _, _ := strings.Cut(strings.TrimPrefix(QueryOf(path), "?"), "#")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name = read(name); pair == "" {
			continue
		}
		if _, ok := params[name]; !ok {
			params[name] = read(value)
		}
	}
	return params
}

// decoded replaces each %XX by its byte; what is none stays. (PercentEncoding::decode)
func decoded(text string) string {
	var b []byte
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b, i = append(b, byte(c)), i+2
				continue
			}
		}
		b = append(b, text[i])
	}
	return string(b)
}

// Query evaluates envoy.config.route.v3.QueryParameterMatcher: ConfigUtility::matchQueryParams.
func Query(m configdump.Value, params map[string]string) Truth {
	value, ok := params[m.Get("name").Text()]
	for kind, v := range m.Fields() {
		switch configdump.FieldName(kind) {
		case "name":
		case "string_match":
			if !ok {
				return No
			}
			return String(v, value)
		case "present_match":
			return Of(ok == v.Bool())
		default:
			return Depends("query parameter matcher "+kind,
				"what the query parameter matcher "+kind+" tests is not known")
		}
	}
	return Of(ok)
}

// Cookies returns the first value of each cookie in a cookie header, as Http::Utility::parseCookies
// does: what has no = is no cookie, blanks count before the name alone, and quotes go where they
// stand at both ends.
func Cookies(header string) map[string]string {
	cookies := map[string]string{}
	for pair := range strings.SplitSeq(header, ";") {
		name, value, ok := strings.Cut(strings.TrimLeft(pair, " "), "=")
		if _, given := cookies[name]; given || !ok {
			continue
		}
		if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		cookies[name] = value
	}
	return cookies
}

// Cookie evaluates envoy.config.route.v3.CookieMatcher.
func Cookie(m configdump.Value, cookies map[string]string) Truth {
	value, ok := cookies[m.Get("name").Text()]
	result := No
	if ok {
		result = String(m.Get("string_match"), value)
	}
	if m.Get("invert_match").Bool() {
		return result.Not()
	}
	return result
}
