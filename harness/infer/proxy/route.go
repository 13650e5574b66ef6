package proxy

import (
	"fmt"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// A RouteEntry is envoy.config.route.v3.Route.
type RouteEntry struct {
	At     configdump.Message
	Cond   configdump.Value   // match
	Action configdump.Message // route
	Index  int
	Name   string
	Path   match.Path
	More   bool // has conditions beside the path
}

// Label names a route in a sentence.
func (r *RouteEntry) Label() string {
	if r.Name != "" {
		return fmt.Sprintf("%s [%d]", r.Name, r.Index)
	}
	return fmt.Sprintf("[%d]", r.Index)
}

// Routes returns the virtual host's routes in order, decoding them for the first request that asks.
func (vh *VirtualHost) Routes() []*RouteEntry {
	vh.decode.Do(func() {
		vh.At = vh.Value.Message()
		for i, r := range vh.At.Get("routes").Elements() {
			vh.entries = append(vh.entries, NewRouteEntry(r, i))
		}
	})
	return vh.entries
}

// NewRouteEntry reads a Route, which stands at an index of its list.
func NewRouteEntry(v configdump.Value, index int) *RouteEntry {
	at := v.Message()
	m := at.Get("match")
	r := &RouteEntry{At: at, Cond: m, Action: at.Get("route").Message(), Index: index, Name: at.Get("name").Text(),
		Path: match.NewPath(m)}
	for field := range m.Fields() {
		r.More = r.More || !match.IsPathField(configdump.FieldName(field))
	}
	return r
}
