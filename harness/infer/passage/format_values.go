package passage

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// dynamicMetadata evaluates DYNAMIC_METADATA(namespace:key…). Without a key it is all of a
// namespace.
func (w *Walk) dynamicMetadata(argument string) (value string, have, known bool) {
	namespace, rest, keyed := strings.Cut(argument, ":")
	if !w.Meta.Has(namespace) {
		return "", false, true
	}
	return valueAt(w.Meta.Namespace(namespace), rest, keyed)
}

// metadataCommand evaluates METADATA(of:namespace:key…), and CLUSTER_METADATA.
// (source/extensions/formatter/metadata/metadata.cc)
func (w *Walk) metadataCommand(argument string) (value string, have, known bool) {
	of, argument, _ := strings.Cut(argument, ":")
	namespace, rest, keyed := strings.Cut(argument, ":")
	var at configdump.Value
	switch of {
	case "DYNAMIC":
		return w.dynamicMetadata(argument)
	case "UPSTREAM_HOST": // is not chosen yet
		return "", false, w.HCM != nil
	case "ROUTE":
		if w.Route == nil {
			return "", false, false
		}
		at = w.Route.At.Value
	case "VIRTUAL_HOST":
		if w.VirtualHost == nil {
			return "", false, false
		}
		at = w.VirtualHost.Value
	case "CLUSTER":
		c := w.Proxy.Cluster(w.Out.Cluster)
		if c == nil {
			return "", false, w.answersItself()
		}
		at = c.At.Value
	case "LISTENER":
		at = w.Listener.At.Value
	case "LISTENER_FILTER_CHAIN":
		if w.Chain == nil {
			return "", false, false
		}
		at = w.Chain.At
	default:
		return "", false, false
	}
	all := at.Get("metadata", "filter_metadata")
	for name, v := range all.Fields() {
		if name == namespace {
			return valueAt(match.Struct(v), rest, keyed)
		}
	}
	return "", false, true
}

// valueAt is what stands in a Struct where keys lead to.
func valueAt(all map[string]any, keys string, keyed bool) (value string, have, known bool) {
	var at any = all
	if keyed {
		for _, key := range strings.Split(keys, ":") {
			of, _ := at.(map[string]any)
			if at = of[key]; at == nil {
				return "", false, true
			}
		}
	}
	if text, ok := at.(string); ok {
		return text, true, true
	}
	if !oneForm(at) {
		return "", false, false
	}
	return inJSON(at), true, true
}

// inJSON is a value of one form in JSON, as Envoy writes it: a number is written with an exponent
// where that is shorter. (Json::Utility::appendValueToString)
func inJSON(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			return `{"` + key + `":` + inJSON(inner) + "}"
		}
		return "{}"
	case []any:
		parts := make([]string, 0, len(v))
		for _, inner := range v {
			parts = append(parts, inJSON(inner))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case string:
		return `"` + v + `"`
	case float64:
		plain, short := strconv.FormatFloat(v, 'f', -1, 64), strconv.FormatFloat(v, 'e', -1, 64)
		if len(short) < len(plain) {
			return short
		}
		return plain
	case bool:
		return strconv.FormatBool(v)
	}
	return "null"
}

// exact is the bound below which a number has one form in JSON.
const exact = 1e15

// oneForm says whether a value has one form in JSON: the keys of an object come in any order, and
// texts may be escaped in several ways.
func oneForm(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if !oneForm(key) || !oneForm(inner) {
				return false
			}
		}
		return len(v) <= 1
	case []any:
		for _, inner := range v {
			if !oneForm(inner) {
				return false
			}
		}
		return true
	case string:
		return strings.IndexFunc(v, func(r rune) bool {
			return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r)
		}) < 0
	case float64:
		return v == math.Trunc(v*1e3)/1e3 && math.Abs(v) < exact
	}
	return true
}

// stateCommand evaluates FILTER_STATE(key:form) for what a filter has set as a text.
func (w *Walk) stateCommand(argument string) (value string, have, known bool) {
	key, form, _ := strings.Cut(argument, ":")
	text, ok := w.State.Namespace(key)[""].(string)
	switch {
	case !ok: // Envoy itself sets others
		return "", false, false
	case form == "PLAIN":
		return text, true, true
	case (form == "" || form == "TYPED") && oneForm(text):
		return strconv.Quote(text), true, true
	}
	return "", false, false
}

// coalesce evaluates COALESCE: the first of its commands that has a value.
// (source/common/formatter/coalesce_formatter.cc)
func (w *Walk) coalesce(argument string) (value string, have, known bool) {
	all := alternatives(argument)
	for _, c := range all {
		if value, have, known = w.command(c); !known || have {
			return value, have, known
		}
	}
	return "", false, all != nil
}

// alternatives reads the argument of COALESCE: {"operators": ["COMMAND", {"command": "COMMAND",
// "param": "argument", "max_length": 5}]}. What is not understood has none.
func alternatives(argument string) []command {
	var of struct {
		Operators []json.RawMessage `json:"operators"`
	}
	if json.Unmarshal([]byte(argument), &of) != nil {
		return nil
	}
	var all []command
	for _, operator := range of.Operators {
		c := command{length: -1}
		if json.Unmarshal(operator, &c.name) != nil {
			var full struct {
				Command string `json:"command"`
				Param   string `json:"param"`
				Length  *int   `json:"max_length"`
			}
			if json.Unmarshal(operator, &full) != nil {
				return nil
			}
			c.name, c.argument = full.Command, full.Param
			if full.Length != nil {
				c.length = *full.Length
			}
		}
		all = append(all, c)
	}
	return all
}
