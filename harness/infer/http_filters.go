package infer

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// httpFilters walks over the HTTP filters in order; one that can answer by itself may end the way here.
func (w *walk) httpFilters() {
	filters := w.hcm.at.Get("http_filters")
	var names []string
	hop := flow.Hop{}
	for _, f := range filters.Elements() {
		name := f.Get("name").Text()
		names = append(names, name)
		hop.Expect = append(hop.Expect, fact(flow.FactHTTPFilter, name))
	}
	hop.Decision = strings.Join(names, ", ")
	hop.Why = "none of them answers by itself, so the router, the last one, follows the route"
	w.add(flow.HTTPFilters, filters, hop)
}
