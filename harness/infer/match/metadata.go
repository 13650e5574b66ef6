package match

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/flowproof/lab/harness/configdump"
)

// Metadata is what filters have written about a request: dynamic metadata by namespace, or filter
// state by key. A namespace that a filter may have written to is open. The zero value is empty.
type Metadata struct {
	all  map[string]map[string]any
	open map[string]Cause
	any  *Cause

	changes int
}

// Changes counts how often something was written.
func (m *Metadata) Changes() int { return m.changes }

// Namespace returns the values of a namespace as far as they are known; the map is
// not to be changed.
func (m *Metadata) Namespace(name string) map[string]any { return m.all[name] }

// Namespaces returns all that is known; the map is not to be changed.
func (m *Metadata) Namespaces() map[string]map[string]any { return m.all }

// Has says whether something is known of a namespace.
func (m *Metadata) Has(name string) bool { return m.all[name] != nil }

// Open says whether a namespace may hold something else.
func (m *Metadata) Open(name string) (Cause, bool) {
	if c, ok := m.open[name]; ok {
		return c, true
	}
	if m.any != nil {
		return *m.any, true
	}
	return Cause{}, false
}

// OpenNamespaces are those that may hold something else; all says that each may.
func (m *Metadata) OpenNamespaces() (names []string, all bool) {
	return slices.Sorted(maps.Keys(m.open)), m.any != nil
}

// Loosen opens a namespace.
func (m *Metadata) Loosen(name string, c Cause) {
	if m.open == nil {
		m.open = map[string]Cause{}
	}
	m.open[name] = c
}

// LoosenAll opens every namespace.
func (m *Metadata) LoosenAll(c Cause) { m.any = &c }

// Set sets values of a namespace and leaves others as they are:
// StreamInfo::setDynamicMetadata, which merges.
func (m *Metadata) Set(name string, values map[string]any) {
	m.changes++
	if m.all == nil {
		m.all = map[string]map[string]any{}
	}
	if m.all[name] == nil {
		m.all[name] = map[string]any{}
	}
	maps.Copy(m.all[name], values)
}

// Update merges values into a namespace as set_metadata does: lists are appended, objects merged.
// (StructUtil::update)
func (m *Metadata) Update(name string, values map[string]any) {
	m.Set(name, nil)
	m.all[name] = updated(m.all[name], values)
}

func updated(into, from map[string]any) map[string]any {
	result := maps.Clone(into)
	for key, v := range from {
		switch v := v.(type) {
		case map[string]any:
			if old, ok := result[key].(map[string]any); ok {
				result[key] = updated(old, v)
				continue
			}
		case []any:
			if old, ok := result[key].([]any); ok {
				result[key] = append(append([]any{}, old...), v...)
				continue
			}
		}
		result[key] = v
	}
	return result
}

// Struct decodes a google.protobuf.Struct of a dump.
func Struct(v configdump.Value) map[string]any {
	var values map[string]any
	if !v.Exists() || json.Unmarshal(v.Raw(), &values) != nil {
		return map[string]any{}
	}
	return values
}

// Matches evaluates envoy.type.matcher.v3.MetadataMatcher.
func (m *Metadata) Matches(v configdump.Value) Truth {
	filter := v.Get("filter").Text()
	value, found := m.at(v)
	result := Value(v.Get("value"), value, found)
	if v.Get("invert").Bool() {
		result = result.Not()
	}
	if c, open := m.Open(filter); open {
		return c.Opened(result)
	}
	return result
}

// Written says whether there is a value where a MetadataMatcher looks.
func (m *Metadata) Written(v configdump.Value) bool {
	_, found := m.at(v)
	return found
}

// at is the value where a MetadataMatcher looks.
func (m *Metadata) at(v configdump.Value) (value any, found bool) {
	filter := v.Get("filter").Text()
	value, found = m.all[filter], m.all[filter] != nil
	for _, segment := range v.Get("path").Elements() {
		inner, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, found = inner[segment.Get("key").Text()]; !found {
			return nil, false
		}
	}
	return value, found
}

// Value evaluates envoy.type.matcher.v3.ValueMatcher for a value of a Struct.
func Value(m configdump.Value, value any, found bool) Truth {
	for kind, v := range m.Fields() {
		switch configdump.FieldName(kind) {
		case "null_match":
			return Of(found && value == nil)
		case "present_match":
			return Of(found && value != nil && v.Bool())
		case "bool_match":
			b, ok := value.(bool)
			return Of(ok && b == v.Bool())
		case "string_match":
			if s, ok := value.(string); ok {
				return String(v, s)
			}
			return No
		case "double_match":
			n, ok := value.(float64)
			return Of(ok && double(v, n))
		case "list_match":
			return inList(v, value)
		case "or_match":
			return Some(v.Get("value_matchers"), func(e configdump.Value) Truth { return Value(e, value, found) })
		default:
			return Depends("value matcher "+kind, "what the value matcher "+kind+" tests is not known")
		}
	}
	return No
}

func double(v configdump.Value, n float64) bool {
	if r := v.Get("range"); r.Exists() {
		return n >= r.Get("start").Float() && n < r.Get("end").Float()
	}
	return n == v.Get("exact").Float()
}

func inList(v configdump.Value, value any) Truth {
	list, ok := value.([]any)
	if !ok {
		return No
	}
	result := No
	for _, e := range list {
		t := Value(v.Get("one_of"), e, true)
		if t.Yes() {
			return t
		}
		if t.Open() {
			result = t
		}
	}
	return result
}

// State evaluates envoy.type.matcher.v3.FilterStateMatcher; values of filter state are kept as {"":
// text} by their key.
func (m *Metadata) State(v configdump.Value) Truth {
	key := v.Get("key").Text()
	text, found := m.all[key][""].(string)
	result := No
	for kind, test := range v.Fields() {
		switch configdump.FieldName(kind) {
		case "string_match":
			if found {
				result = String(test, text)
			}
		case "key":
		default:
			if found {
				result = Depends("filter state matcher "+kind,
					"what the filter state matcher "+kind+" tests is not known")
			}
		}
	}
	if c, open := m.Open(key); open {
		return c.Opened(result)
	}
	return result
}

// Any decodes a google.protobuf.Value of a dump.
func Any(v configdump.Value) any {
	var value any
	if !v.Exists() || json.Unmarshal(v.Raw(), &value) != nil {
		return nil
	}
	return value
}
