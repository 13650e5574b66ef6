package changes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// unordered are the repeated fields whose order Envoy does not go by: see the comments of their
// messages in envoy/config.
var unordered = map[string]bool{
	// RouteConfiguration, VirtualHost: the most specific domain wins wherever it stands.
	"virtual_hosts": true, "domains": true,
	// Listener, FilterChainMatch: the most specific match wins, and two equal ones are refused.
	"filter_chains": true, "server_names": true, "prefix_ranges": true, "source_prefix_ranges": true,
	"direct_source_prefix_ranges": true, "source_ports": true, "application_protocols": true,
	// ClusterLoadAssignment: localities and their endpoints.
	"endpoints": true, "lb_endpoints": true,
	// CertificateValidationContext: one of them has to fit.
	"match_typed_subject_alt_names": true, "match_subject_alt_names": true, "verify_certificate_hash": true,
	"verify_certificate_spki": true,
	// RBAC's Policy and its lists: one, or all, have to fit.
	"principals": true, "permissions": true, "ids": true,
	// metadata that Istio writes: the Services behind a cluster.
	"services": true,
}

// diff compares what two dumps say of one resource; nil is a resource that is not there.
func (w *way) diff(resource string, before, after any) {
	d := differ{proxy: w.before.Node().Proxy(), resource: resource}
	d.values("", "", before, after)
	w.changes = append(w.changes, d.changes...)
}

// mostChanges bounds how many changes are named of one resource.
const mostChanges = 20

type differ struct {
	proxy, resource string
	changes         []flow.Change
}

func (d *differ) add(place, how string) {
	if len(d.changes) < mostChanges {
		d.changes = append(d.changes, flow.Change{Proxy: d.proxy, Resource: d.resource, Field: place, How: how})
	}
}

// values compares two values at a place; field is the name of the field that holds them.
func (d *differ) values(place, field string, before, after any) {
	if canonical(before, field) == canonical(after, field) {
		return
	}
	was, wasObject := before.(map[string]any)
	is, isObject := after.(map[string]any)
	wasList, isList := list(before), list(after)
	switch {
	case before == nil:
		d.add(place, flow.Added)
	case after == nil:
		d.add(place, flow.Removed)
	case wasObject && isObject:
		d.objects(place, was, is)
	case wasList != nil && isList != nil:
		d.lists(place, field, wasList, isList)
	default:
		d.add(place, flow.Changed)
	}
}

func (d *differ) objects(place string, before, after map[string]any) {
	names := map[string]bool{}
	for _, fields := range []map[string]any{before, after} {
		for name := range fields {
			names[name] = true
		}
	}
	for _, name := range sorted(names) {
		d.values(join(place, name), configdump.FieldName(name), before[name], after[name])
	}
}

// lists compares two lists. Elements are known by their names where these are different, at least
// among the elements that not both lists have; else by their place among these.
func (d *differ) lists(place, field string, before, after []any) {
	was, is := keys(before), keys(after)
	if was == nil || is == nil {
		before, after = rest(before, after), rest(after, before)
		was, is = keys(before), keys(after)
	}
	if len(was) == 0 || len(is) == 0 {
		d.places(place, before, after)
		return
	}
	var wasCommon, isCommon []string
	for i, key := range was {
		if j := slices.Index(is, key); j >= 0 {
			wasCommon = append(wasCommon, key)
			d.values(element(place, key), "", before[i], after[j])
		} else {
			d.add(element(place, key), flow.Removed)
		}
	}
	for _, key := range is {
		if slices.Contains(was, key) {
			isCommon = append(isCommon, key)
		} else {
			d.add(element(place, key), flow.Added)
		}
	}
	if !unordered[field] && !slices.Equal(wasCommon, isCommon) {
		d.add(place, flow.Reordered)
	}
}

// places compares what is different in two lists, element by element.
func (d *differ) places(place string, before, after []any) {
	switch {
	case len(before) == 0 && len(after) == 0:
		d.add(place, flow.Reordered)
		return
	case len(before) == 0:
		d.each(place, after, flow.Added)
		return
	case len(after) == 0:
		d.each(place, before, flow.Removed)
		return
	case len(before) != len(after):
		d.add(place, flow.Changed)
		return
	}
	for i := range before {
		d.values(element(place, strconv.Itoa(i)), "", before[i], after[i])
	}
}

// each notes what became of all elements.
func (d *differ) each(place string, elements []any, how string) {
	for i, e := range elements {
		d.add(element(place, cmp.Or(nameOf(e), strconv.Itoa(i))), how)
	}
}

// rest is a list without the elements that the other one has too.
func rest(of, other []any) []any {
	count := map[string]int{}
	for _, v := range other {
		count[canonical(v, "")]++
	}
	var left []any
	for _, v := range of {
		if key := canonical(v, ""); count[key] > 0 {
			count[key]--
		} else {
			left = append(left, v)
		}
	}
	return left
}

// keys are the names of a list's elements; nil where one has none, or two have the same.
func keys(elements []any) []string {
	names := []string{}
	for _, e := range elements {
		name := nameOf(e)
		if name == "" || slices.Contains(names, name) {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// nameOf is by what an element of a list is known: its name, or an endpoint's address.
func nameOf(element any) string {
	fields, ok := element.(map[string]any)
	if !ok {
		return ""
	}
	if name, ok := fields["name"].(string); ok {
		return name
	}
	for _, inner := range []string{"endpoint", "address", "socket_address"} {
		if next, ok := fields[inner].(map[string]any); ok {
			fields = next
		}
	}
	if address, ok := fields["address"].(string); ok {
		return fmt.Sprint(address, ":", portOf(fields))
	}
	return ""
}

func portOf(fields map[string]any) any {
	if port, ok := fields["port_value"]; ok {
		return port
	}
	return fields["portValue"]
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// canonical is a value's text, the same for two values that mean the same.
func canonical(v any, field string) string {
	text, err := json.Marshal(normal(v, field))
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// normal sorts what has no order.
func normal(v any, field string) any {
	switch v := v.(type) {
	case map[string]any:
		sorted := make(map[string]any, len(v))
		for name, value := range v {
			sorted[name] = normal(value, configdump.FieldName(name))
		}
		return sorted
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = normal(v[i], "")
		}
		if unordered[field] {
			slices.SortFunc(all, func(a, b any) int { return compareText(a, b) })
		}
		return all
	}
	return v
}

func compareText(a, b any) int {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return slices.Compare(x, y)
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

func join(place, name string) string {
	if place == "" {
		return name
	}
	return place + "/" + name
}

func element(place, key string) string { return place + "[" + key + "]" }
