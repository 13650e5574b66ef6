package filters

import (
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// setMetadata writes what the configuration says: SetMetadataFilter::decodeHeaders. A
// namespace that is there is merged only with allow_overwrite, which the older form of the
// configuration has always.
func setMetadata(r *Request, f *Filter) Result {
	config := f.own()
	if name := config.Get("metadata_namespace").Text(); name != "" && config.Has("value") {
		r.Metadata.Update(name, match.Struct(config.Get("value")))
	}
	for _, m := range config.Get("metadata").Elements() {
		name := m.Get("metadata_namespace").Text()
		if !m.Has("value") || r.Metadata.Has(name) && !m.Get("allow_overwrite").Bool() {
			continue
		}
		r.Metadata.Update(name, match.Struct(m.Get("value")))
	}
	return Result{}
}

// headerToMetadata writes headers and cookies into metadata:
// HeaderToMetadataFilter::writeHeaderToMetadata.
func headerToMetadata(r *Request, f *Filter) Result {
	config := f.own()
	for _, rule := range config.Get("request_rules").Elements() {
		name := rule.Get("header").Text()
		value, given := r.Headers.Joined(name)
		if cookie := rule.Get("cookie").Text(); cookie != "" {
			name = "cookie"
			all, _ := r.Headers.Get(name)
			value = match.Cookies(all)[cookie]
			given = value != ""
		}
		cause, open := r.Headers.Open(name)
		if rule.Get("cookie").Text() == "" && rule.Get("remove").Bool() { // at once: HeaderValueSelector::extract
			r.Headers.Remove(name)
		}
		pair := rule.Get("on_header_present")
		if !given {
			pair, value = rule.Get("on_header_missing"), ""
		}
		if open {
			for _, either := range []string{"on_header_present", "on_header_missing"} {
				if p := rule.Get(either); p.Exists() {
					r.Metadata.Loosen(namespaceOf(p, "envoy.filters.http.header_to_metadata"), cause)
				}
			}
		}
		if pair.Exists() {
			r.writePair(pair, value)
		}
	}
	return Result{}
}

func namespaceOf(pair configdump.Value, otherwise string) string {
	if name := pair.Get("metadata_namespace").Text(); name != "" {
		return name
	}
	return otherwise
}

// writePair applies HeaderToMetadata's KeyValuePair.
func (r *Request) writePair(pair configdump.Value, value string) {
	if fixed := pair.Get("value").Text(); fixed != "" {
		value = fixed
	} else if rewrite := pair.Get("regex_value_rewrite"); rewrite.Exists() {
		value = match.Substitute(rewrite, value)
	}
	if encode := pair.Get("encode").Text(); encode == "BASE64" || encode == "1" {
		value = decoded(value)
	}
	if value == "" || len(value) >= 8*1024 {
		return
	}
	var v any = value
	switch pair.Get("type").Text() {
	case "NUMBER", "1":
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return
		}
		v = n
	case "PROTOBUF_VALUE", "2":
		r.Metadata.Loosen(namespaceOf(pair, "envoy.filters.http.header_to_metadata"),
			match.Cause{
				On:  "a serialized value in a header",
				Why: "header_to_metadata decodes a serialized value, which is not followed",
			})
		return
	}
	r.Metadata.Set(namespaceOf(pair, "envoy.filters.http.header_to_metadata"),
		map[string]any{pair.Get("key").Text(): v})
}

// jsonToMetadata reads the body: without one every rule's on_missing counts, and of one the request
// does not say what it is.
func jsonToMetadata(r *Request, f *Filter) Result {
	rules := f.own().Get("request_rules")
	if rules.Get("rules").Exists() {
		rules = rules.Get("rules")
	}
	contentType, _ := r.Headers.Get("content-type")
	_, openType := r.Headers.Open("content-type")
	if !r.jsonType(f.own().Get("request_rules"), contentType) && !openType {
		return Result{}
	}
	const own = "envoy.filters.http.json_to_metadata"
	_, openLength := r.Headers.Open("content-length")
	body := r.hasBody() || openType || openLength
	for _, rule := range rules.Elements() {
		if body {
			for _, pair := range []string{"on_present", "on_missing", "on_error"} {
				if p := rule.Get(pair); p.Exists() {
					r.Metadata.Loosen(namespaceOf(p, own), f.cause("the body"))
				}
			}
			continue
		}
		p := rule.Get("on_missing")
		if !p.Exists() {
			continue
		}
		name, key := namespaceOf(p, own), p.Get("key").Text()
		if _, there := r.Metadata.Namespace(name)[key]; there && p.Get("preserve_existing_metadata_value").Bool() {
			continue
		}
		r.Metadata.Set(name, map[string]any{key: match.Any(p.Get("value"))})
	}
	return Result{}
}

// jsonType says whether the filter looks at bodies of a content type.
func (r *Request) jsonType(rules configdump.Value, contentType string) bool {
	if contentType == "" {
		return rules.Get("allow_empty_content_type").Bool()
	}
	allowed := rules.Get("allow_content_types").Texts()
	if len(allowed) == 0 {
		allowed = []string{"application/json"}
	}
	for _, a := range allowed {
		if a == contentType {
			return true
		}
	}
	if m := rules.Get("allow_content_types_regex", "regex"); m.Exists() {
		p := match.Regexp(m.Text())
		return p != nil && p.MatchString(match.Latin1(contentType))
	}
	return false
}

// hasBody says whether the request has one, by its headers.
func (r *Request) hasBody() bool {
	length, given := r.Headers.Get("content-length")
	return given && length != "0" || match.IsGRPC(r.Headers)
}

// setFilterState writes filter state from format strings.
func setFilterState(r *Request, f *Filter) Result {
	config := f.own()
	for _, v := range config.Get("on_request_headers").Elements() {
		r.SetState(f, v)
	}
	return Result{Reroute: config.Get("clear_route_cache").Bool()}
}

// Shared is the key under which a value of filter state says whether upstream connections have it:
// SharedWithUpstream.
const Shared = "shared"

// SetState applies envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue.
func (r *Request) SetState(f *Filter, v configdump.Value) {
	key := v.Get("object_key").Text()
	format := v.Get("format_string", "text_format_source", "inline_string")
	if !format.Exists() {
		format = v.Get("format_string", "text_format")
	}
	value, known := r.Way.Format(format.Text(), "-")
	if !known {
		r.State.Loosen(key, f.cause("a value that is not known"))
		return
	}
	if value == "" && v.Get("skip_if_empty").Bool() {
		return
	}
	r.State.Set(key, map[string]any{"": value, Shared: v.Get("shared_with_upstream").Text()})
}
