package filters

import (
	"net/url"
	"slices"
	"sort"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// headerMutation changes headers and query parameters: the filter's own mutations first, then
// those of route, virtual host and route configuration, in the other order where the most
// specific is to win.
func headerMutation(r *Request, f *Filter) Result {
	r.mutateAll(f, f.Config.Get("mutations"))
	levels := slices.Clone(f.Late())
	if f.Config.Get("most_specific_header_mutations_wins").Bool() {
		slices.Reverse(levels)
	}
	for _, level := range levels {
		r.mutateAll(f, level.Get("mutations"))
	}
	return Result{}
}

func (r *Request) mutateAll(f *Filter, mutations configdump.Value) {
	for _, m := range mutations.Get("request_mutations").Elements() {
		Mutate(r.Headers, m, r.Way.Format, f.cause("a value that is not known"))
	}
	if list := mutations.Get("query_parameter_mutations"); list.Len() > 0 {
		r.mutateQuery(f, list)
	}
}

// Mutate applies envoy.config.common.mutation_rules.v3.HeaderMutation. A header whose new value is
// not known is opened by the cause.
func Mutate(h *match.Headers, m configdump.Value, format func(text, missing string) (string, bool), cause match.Cause) {
	if name := m.Get("remove").Text(); name != "" {
		h.Remove(name)
		return
	}
	if on := m.Get("remove_on_match", "key_matcher"); on.Exists() {
		for _, name := range h.Names() {
			if match.String(on, name).Yes() && !strings.HasPrefix(name, ":") {
				h.Remove(name)
			}
		}
		return
	}
	AddHeader(h, m.Get("append"), format, cause)
}

// AddHeader applies envoy.config.core.v3.HeaderValueOption.
func AddHeader(h *match.Headers, option configdump.Value, format func(text, missing string) (string, bool),
	cause match.Cause) {
	name := strings.ToLower(option.Get("header", "key").Text())
	text := option.Get("header", "value").Text()
	value, known := format(text, "")
	if name == "" || known && value == "" && !option.Get("keep_empty_value").Bool() {
		return
	}
	action := option.Get("append_action").Text()
	if b := option.Get("append"); b.Exists() && action == "" && !b.Bool() {
		action = "OVERWRITE_IF_EXISTS_OR_ADD"
	}
	_, given := h.Get(name)
	switch action {
	case "ADD_IF_ABSENT", "1":
		if given {
			return
		}
		h.SetFrom(name, value, name)
	case "OVERWRITE_IF_EXISTS", "3":
		if !given {
			return
		}
		h.SetFrom(name, value, name)
	case "OVERWRITE_IF_EXISTS_OR_ADD", "2":
		h.Set(name, value)
	default:
		if strings.HasPrefix(name, ":") {
			h.Set(name, value)
		} else {
			h.Append(name, value)
		}
	}
	if !known {
		h.Loosen(name, cause)
	}
}

// mutateQuery changes the query of the path.
func (r *Request) mutateQuery(f *Filter, list configdump.Value) {
	path, ok := r.Headers.Get(":path")
	if !ok { // a CONNECT has none
		return
	}
	params, _ := url.ParseQuery(strings.TrimPrefix(match.QueryOf(path), "?"))
	open := false
	for _, m := range list.Elements() {
		if name := m.Get("remove").Text(); name != "" {
			params.Del(name)
			continue
		}
		record := m.Get("append", "record")
		key := record.Get("key").Text()
		value, known := r.Way.Format(record.Get("value").Text(), "-")
		open = open || !known
		switch m.Get("append", "action").Text() {
		case "ADD_IF_ABSENT", "1":
			if !params.Has(key) {
				params.Set(key, value)
			}
		case "OVERWRITE_IF_EXISTS_OR_ADD", "2":
			params.Set(key, value)
		case "OVERWRITE_IF_EXISTS", "3":
			if params.Has(key) {
				params.Set(key, value)
			}
		default:
			params.Add(key, value)
		}
	}
	if r.setQuery(path, params); open {
		r.Headers.Loosen(":path", f.cause("a value that is not known"))
	}
}

// setQuery gives the path these parameters.
func (r *Request) setQuery(path string, params url.Values) {
	query := encode(params)
	if query != "" {
		query = "?" + query
	}
	r.Headers.SetFrom(":path", match.PathOnly(path)+query, ":path")
}

// encode writes parameters in the order of their names: QueryParamsMulti keeps them
// in a sorted map.
func encode(params url.Values) string {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	sort.Strings(names)
	var parts []string
	for _, name := range names {
		for _, v := range params[name] {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, "&")
}
