package proxy

import (
	"strconv"
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

// Percent is an integer of the runtime that stands for a percentage, or what holds without it.
func (e *Proxy) Percent(key string, otherwise uint64) uint64 {
	if v := e.Runtime(key); v.Exists() {
		return min(v.Uint(), 100)
	}
	return otherwise
}

// Guarded says whether a change of Envoy's is in force: one of 1.37 or later, as security releases
// brought some to, whose guard in the runtime does not turn it off.
func (e *Proxy) Guarded(feature string) bool {
	return !e.OlderThan(1, 37) && !IsFalse(e.Runtime("envoy.reloadable_features."+feature))
}

// OlderThan says whether the version of the proxy's Envoy is known and below major.minor.
func (e *Proxy) OlderThan(major, minor int) bool {
	parts := strings.Split(e.Node.EnvoyVersion, ".")
	if len(parts) < 2 {
		return false
	}
	have, err := strconv.Atoi(parts[0])
	haveMinor, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (have < major || have == major && haveMinor < minor)
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
