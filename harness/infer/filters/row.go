// Package filters knows what Envoy's and Istio's filters can do to a request: one catalogue by the
// type of a filter's configuration. The declarative ones are computed and change the request as
// they go; what others can touch is opened. A filter that is not in the catalogue opens everything
// that comes after it.
package filters

import "strings"

// Effect is a set of what a filter can do.
type Effect uint16

// What a filter can do to a request. Nothing is the zero value: it observes, or
// acts on the response only.
const (
	Answer   Effect = 1 << iota // answer by itself
	Headers                     // change headers, not the pseudo-headers
	Path                        // change path, authority or method
	Metadata                    // write dynamic metadata or filter state
	Cluster                     // choose the cluster
	Host                        // choose the host
	Stop                        // hold the request
	Reroute                     // clear the route cache: the route is chosen again
	Body                        // change the body
	Ends                        // end the chain: nothing comes after it

	Nothing Effect = 0
)

var effectNames = []string{"answer", "change headers", "change the path", "write metadata", "choose the cluster",
	"choose the host", "stop the request", "clear the route cache", "change the body", "end the chain"}

// String lists what a filter can do.
func (e Effect) String() string {
	var all []string
	for i, name := range effectNames {
		if e&(1<<i) != 0 {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// A Row is one filter.
type Row struct {
	Type     string // of its configuration
	Name     string // canonical, which an old dump may have in the place of a type
	Can      Effect
	Computed bool   // what it does is computed as far as the request decides it
	On       string // what decides where it is not computed
	Page     string // of Envoy's or Istio's documentation
}

// Docs are the places that Page is relative to.
const (
	envoyDocs = "https://www.envoyproxy.io/docs/envoy/v1.40.0/"
	istioDocs = "https://github.com/istio/proxy/tree/1.31.0/"
)

// Doc is the address of the filter's documentation.
func (r *Row) Doc() string {
	if strings.HasPrefix(r.Page, "source/") {
		return istioDocs + r.Page
	}
	return envoyDocs + r.Page
}

// A table is the rows of one kind of filter.
type table struct {
	rows   []Row
	byType map[string]*Row
	byName map[string]*Row
}

func newTable(prefix, pages string, rows []Row) *table {
	t := &table{rows: rows, byType: map[string]*Row{}, byName: map[string]*Row{}}
	for i := range t.rows {
		r := &t.rows[i]
		if strings.HasPrefix(r.Type, ".") {
			r.Type = prefix + r.Type
		}
		if !strings.Contains(r.Page, "/") {
			r.Page = pages + r.Page
		}
		t.byType[r.Type], t.byName[r.Name] = r, r
	}
	return t
}

// find returns the row of a type, or of a name where there is no type; nil for a
// filter that is not known.
func (t *table) find(kind, name string) *Row {
	if kind != "" {
		return t.byType[kind]
	}
	return t.byName[name]
}

// HTTP returns the row of an HTTP filter, also of one on the way upstream; nil for
// one that is not known.
func HTTP(kind, name string) *Row { return httpTable.find(kind, name) }

// Network returns the row of a network filter; nil for one that is not known.
func Network(kind, name string) *Row { return networkTable.find(kind, name) }

// Listener returns the row of a listener filter; nil for one that is not known.
func Listener(kind, name string) *Row { return listenerTable.find(kind, name) }
