package proxy

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// Runtime returns what the static layers of the bootstrap's layered_runtime say of a key; later
// layers come before earlier ones. What a disk, the admin interface or RTDS says is in no dump.
func (e *Proxy) Runtime(key string) configdump.Value {
	var found configdump.Value
	if key == "" {
		return found
	}
	for _, layer := range e.layers {
		if v := runtimeKey(layer, key); v.Exists() {
			found = v
		}
	}
	return found
}

// runtimeKey finds a key in a Struct where its parts may be nested: a.b as {"a": {"b": …}}
// or as {"a.b": …}.
func runtimeKey(v configdump.Value, key string) configdump.Value {
	for name, field := range v.Fields() {
		if name == key {
			return field
		}
		if rest, ok := strings.CutPrefix(key, name+"."); ok {
			if found := runtimeKey(field, rest); found.Exists() {
				return found
			}
		}
	}
	return configdump.Value{}
}

// Fraction reads RuntimeFractionalPercent: what the runtime says, or else the default. A number
// stands for a percentage.
func (e *Proxy) Fraction(v configdump.Value) (numerator, of uint64) {
	set := e.Runtime(v.Get("runtime_key").Text())
	switch {
	case set.IsObject():
		return match.Fraction(set)
	case set.Exists():
		return set.Uint(), 100
	}
	return match.Fraction(v.Get("default_value"))
}
