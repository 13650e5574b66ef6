package hcm

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/say"
)

// scopedRoutes finds the route configuration by the scope key that scope_key_builder makes of
// the request's headers.
func scopedRoutes(w *passage.Walk, v configdump.Value) (config configdump.Value, why string) {
	var key []string
	for _, f := range v.Get("scope_key_builder", "fragments").Elements() {
		fragment, ok := fragment(w, f.Get("header_value_extractor"))
		if !ok {
			return configdump.Value{}, "scope_key_builder finds no value in header " + f.Get("header_value_extractor",
				"name").Text()
		}
		key = append(key, fragment)
	}
	var scopes []configdump.Value
	for _, s := range v.Get("scoped_route_configurations_list", "scoped_route_configurations").Elements() {
		scopes = append(scopes, s)
	}
	for _, r := range w.Proxy.Dump.Resources(configdump.ScopedRoute) {
		for _, s := range r.Value().Elements() {
			scopes = append(scopes, s)
		}
	}
	for _, s := range scopes {
		if !sameKey(s.Get("key", "fragments"), key) {
			continue
		}
		if inline := s.Get("route_configuration"); inline.Exists() {
			return inline, fmt.Sprintf("scope %s has the key %s", s.Get("name").Text(), say.List(key))
		}
		name := s.Get("route_configuration_name").Text()
		if r, ok := w.Proxy.Dump.Lookup(configdump.RouteConfig, name); ok {
			return r.Value(), fmt.Sprintf("scope %s has the key %s and names route configuration %s",
				s.Get("name").Text(), say.List(key), name)
		}
		return configdump.Value{}, fmt.Sprintf("scope %s names route configuration %s, which the dump does not have",
			s.Get("name").Text(), name)
	}
	return configdump.Value{}, fmt.Sprintf("no scope has the key %s", say.List(key))
}

func sameKey(fragments configdump.Value, key []string) bool {
	n := 0
	for i, f := range fragments.Elements() {
		if i >= len(key) || f.Get("string_key").Text() != key[i] {
			return false
		}
		n++
	}
	return n == len(key)
}

// fragment evaluates HeaderValueExtractor: a part of a header by index, or the value of a key.
func fragment(w *passage.Walk, v configdump.Value) (string, bool) {
	value, ok := w.Req.Header.Get(v.Get("name").Text())
	if !ok {
		return "", false
	}
	parts := []string{value}
	if separator := v.Get("element_separator").Text(); separator != "" {
		parts = strings.Split(value, separator)
	}
	if element := v.Get("element"); element.Exists() {
		for _, p := range parts {
			key, value, _ := strings.Cut(p, element.Get("separator").Text()) // without one the value is empty
			if key == element.Get("key").Text() {
				return value, true
			}
		}
		return "", false
	}
	index := int(min(v.Get("index").Uint(), 1<<20))
	if index >= len(parts) {
		return "", false
	}
	return parts[index], true
}
