//go:build linux && amd64

package testbed

import (
	"fmt"
	"strings"
)

// An Entry is a kind of route entry. Envoy has a class of its own for each, and what stands at one
// place of an object of the one class is something else in the other: a value that is read along a
// route entry is right only of the kinds that it was tried with. Source:
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto,
// RouteMatch and RouteAction.
type Entry struct {
	name          string
	match, action string // in the route's configuration, with OWN for the Route's cluster and OTHER for another
}

// Entries are the kinds of route entries that each Route has. All of them lead to the Route's
// cluster. The last one is what a request without a word about it takes.
var Entries = []Entry{
	{"weighted", "prefix: /", "weighted_clusters: {clusters: [{name: OTHER, weight: 0}, {name: OWN, weight: 1}]}"},
	{"header", "prefix: /", "cluster_header: " + clusterHeader},
	{"path", "path: /", "cluster: OWN"},
	{"regex", "safe_regex: {regex: /.*}", "cluster: OWN"},
	{"prefix", "prefix: /", "cluster: OWN"},
}

// Headers by which a request of the testbed takes an Entry, and by which one of
// them is told its cluster.
const (
	entryHeader   = "x-flowproof-entry"
	clusterHeader = "x-flowproof-cluster"
)

// By are the headers of a request that takes an entry of the route.
func (r Route) By(e Entry) [][2]string {
	return [][2]string{{entryHeader, e.name}, {clusterHeader, r.Cluster}}
}

// config is the entry in the configuration of a route; other is a cluster that it does not lead to.
func (e Entry) config(r Route, other string) string {
	condition := ""
	if e != Entries[len(Entries)-1] {
		condition = fmt.Sprintf(", headers: [{name: %s, string_match: {exact: %s}}]", entryHeader, e.name)
	}
	action := strings.NewReplacer("OWN", r.Cluster, "OTHER", other).Replace(e.action)
	return fmt.Sprintf("\n              - {match: {%s%s}, route: {timeout: 0s, %s}}", e.match, condition, action)
}
