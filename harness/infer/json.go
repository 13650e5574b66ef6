package infer

import "encoding/json"

// canonicalJSON returns JSON text with its keys in order and without white space, so that equal values are equal text.
func canonicalJSON(raw []byte) string {
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
