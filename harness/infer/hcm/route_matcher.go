package hcm

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/matcher"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// routeByMatcher chooses a route by VirtualHost.matcher: its actions are a Route or a RouteList.
func routeByMatcher(w *passage.Walk, tree configdump.Value) (chosen *proxy.RouteEntry,
	rejected []flow.Alternative, why string) {
	m := matcher.Matching{W: w, What: flow.WhatRoute, HTTP: true}
	var chosenWhy string
	m.Accept = func(action configdump.Value) bool {
		message, kind := action.Get("typed_config").Typed()
		routes := []*proxy.RouteEntry{proxy.NewRouteEntry(message, 0)}
		if strings.HasSuffix(kind, ".RouteList") {
			routes = nil
			for i, r := range message.Get("routes").Elements() {
				routes = append(routes, proxy.NewRouteEntry(r, i))
			}
		}
		found, lost, why := firstRoute(w, routes)
		rejected = append(rejected, lost...)
		if found != nil {
			chosen, chosenWhy = found, why
		}
		return true // an action ends the search, also when its routes do not match
	}
	m.Evaluate(tree)
	if chosen == nil {
		return nil, rejected, "its matcher leads to no route"
	}
	return chosen, rejected, "its matcher leads there by " + say.OrNone(strings.Join(m.Steps, ", ")) + ", " + chosenWhy
}
