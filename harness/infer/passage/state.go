package passage

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// Filter state and metadata that original_dst restores the ends of an internal connection from.
const (
	StateLocal   = "envoy.filters.listener.original_dst.local_ip"
	StateRemote  = "envoy.filters.listener.original_dst.remote_ip"
	RestoredFrom = "envoy.filters.listener.original_dst"
)

// OpenInner notes that the inside of a CONNECT decides, and is not told.
func (w *Walk) OpenInner(at configdump.Value) {
	w.Open(flow.WhatWay, "what is inside of the CONNECT",
		"the request does not say what the CONNECT carries (its field inner); a GET in clear text is taken for it", at)
}

// StateText returns filter state that is a text. A value that a filter may have set
// opens what asks for it.
func (w *Walk) StateText(key string) (string, bool) {
	if cause, open := w.State.Open(key); open {
		w.Open(flow.WhatWay, cause.On, cause.Why, configdump.Value{})
		return "", false
	}
	text, ok := w.State.Namespace(key)[""].(string)
	return text, ok
}

// MetadataText returns the text that envoy.type.metadata.v3.MetadataKey leads to in the
// request's dynamic metadata.
func (w *Walk) MetadataText(key configdump.Value) (string, bool) {
	name := key.Get("key").Text()
	if cause, open := w.Meta.Open(name); open {
		w.Open(flow.WhatHost, cause.On, cause.Why, key)
		return "", false
	}
	var at any = w.Meta.Namespace(name)
	for _, segment := range key.Get("path").Elements() {
		of, ok := at.(map[string]any)
		if !ok {
			return "", false
		}
		at = of[segment.Get("key").Text()]
	}
	text, ok := at.(string)
	return text, ok
}
