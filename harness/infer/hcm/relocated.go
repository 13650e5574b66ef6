package hcm

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
)

// openLocation opens the location of the route's own answer where a filter header_mutation or
// local_reply_config changes it on its way to the client: what they make of it is not followed.
func openLocation(w *passage.Walk) {
	const why = " may change the answer's location, which is not followed"
	list, _ := filterList(w)
	for _, base := range list {
		f := onRoute(w, base)
		if f.Disabled || !strings.HasSuffix(f.Kind, ".header_mutation.v3.HeaderMutation") {
			continue
		}
		for _, config := range append([]configdump.Value{f.Config}, f.routes...) {
			if at := config.Get("mutations", "response_mutations"); changesLocation(at) {
				w.Open(flow.WhatAnswer, "filter "+f.Name, "filter "+f.Name+why, at)
			}
		}
	}
	for _, m := range w.HCM.At.Get("local_reply_config", "mappers").Elements() {
		if at := m.Get("headers_to_add"); changesLocation(at) {
			w.Open(flow.WhatAnswer, "local_reply_config", "local_reply_config"+why, at)
		}
	}
}

// changesLocation says whether one of several mutations may concern the header location.
func changesLocation(list configdump.Value) bool {
	for _, m := range list.Elements() {
		for _, name := range []string{m.Get("remove").Text(), m.Get("header", "key").Text(),
			m.Get("append", "header", "key").Text()} {
			if strings.EqualFold(name, "location") {
				return true
			}
		}
		if m.Has("remove_on_match") {
			return true
		}
	}
	return false
}
