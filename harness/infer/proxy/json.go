package proxy

import (
	"encoding/json"

	"github.com/flowproof/lab/harness/configdump"
)

// CanonicalJSON returns JSON text with its keys in order and without white space, so that equal
// values are equal text.
func CanonicalJSON(raw []byte) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// IsFalse says whether a boolean is there and false.
func IsFalse(v configdump.Value) bool { return v.Exists() && !v.Bool() }
