// Package configdump reads what Envoy's admin endpoint /config_dump returns. It indexes where each
// resource begins and ends, and decodes a field only when it is asked for, so that one request's
// way through a dump of a hundred megabytes costs one pass over the text. A field is addressed by
// its protobuf name and knows its JSON pointer, and no schema is needed: a dump of any Envoy with
// the v3 API can be read, and an unknown extension is a Value like any other.
//
// The shapes follow envoy/admin/v3/config_dump.proto and config_dump_shared.proto.
package configdump

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Dump is one proxy's configuration. It may be used by several goroutines at once until Close.
type Dump struct {
	data   []byte
	unmap  func() error
	found  // the index
	byName map[Kind]map[string]*Resource
	// what places were asked for, by where it begins
	names    sync.Map // *names of arrays
	messages sync.Map // Message of resources

	mu  sync.Mutex
	err error
}

// keep remembers the first syntax error that was met below the index.
func (d *Dump) keep(err error) {
	if err == nil || errors.Is(err, errStop) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = fmt.Errorf("%w: %w", ErrRead, err)
	}
}

// Err returns the first syntax error that was met while Values of the dump were read. An answer
// that was drawn from a dump with an error must not be given.
func (d *Dump) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Close gives back the memory of a dump that was opened from a file. Values of the dump must
// not be used afterwards.
func (d *Dump) Close() error {
	if d.unmap == nil {
		return nil
	}
	unmap := d.unmap
	d.unmap, d.data = nil, nil
	return unmap()
}

// Size returns the number of bytes of the dump's JSON text.
func (d *Dump) Size() int { return len(d.data) }

// Bootstrap returns the bootstrap configuration, or a Value that does not exist.
func (d *Dump) Bootstrap() Value { return d.bootstrap }

// Root returns the whole dump as one Value.
func (d *Dump) Root() Value { return Value{d, 0, len(d.data), nil} }

// Lookup returns the resource of that name which is in use. A static resource comes
// before a dynamic one, and one that is still warming or already draining is found only
// when there is no other.
func (d *Dump) Lookup(kind Kind, name string) (*Resource, bool) {
	r, ok := d.byName[kind][name]
	return r, ok
}

// Resources returns all resources of a kind in the order of the dump, static ones first.
func (d *Dump) Resources(kind Kind) []*Resource { return d.resources[kind] }

// Missing names the kinds of resources of which the dump has no section, with what brings them in.
func (d *Dump) Missing() []string {
	var missing []string
	if !d.bootstrap.Exists() {
		missing = append(missing, "BootstrapConfigDump (who the proxy is stays unknown)")
	}
	for _, k := range []Kind{Listener, RouteConfig, Cluster, Endpoints} {
		if !d.sections[k] && d.asksFor(k) {
			missing = append(missing, k.section()+k.hint())
		}
	}
	return missing
}

// asksFor says whether the dump needs a section: of routes where a listener has them elsewhere, by
// RDS or in scopes, and of endpoints where a cluster does not have its own in it. A bootstrap with
// endpoints of its own needs no more.
func (d *Dump) asksFor(k Kind) bool {
	switch k {
	case RouteConfig:
		return slices.ContainsFunc(d.Resources(Listener), func(r *Resource) bool {
			return r.mentions("rds", "scoped_routes", "scopedRoutes")
		})
	case Endpoints:
		clusters := d.Resources(Cluster)
		return len(clusters) == 0 || slices.ContainsFunc(clusters, func(r *Resource) bool {
			return !r.mentions("load_assignment", "loadAssignment") ||
				r.mentions("EDS", "STRICT_DNS", "LOGICAL_DNS", "cluster_type", "clusterType")
		})
	}
	return true
}

// mentions says whether the text of a resource has one of the words as a string.
func (r *Resource) mentions(words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		return bytes.Contains(r.Value().Raw(), []byte(`"`+word+`"`))
	})
}

// Has says whether the dump has a section for that kind of resource.
func (d *Dump) Has(kind Kind) bool { return d.sections[kind] }

// At returns the Value that a JSON pointer names, or one that does not exist.
func (d *Dump) At(pointer string) Value {
	v := d.Root()
	if pointer == "" {
		return v
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		if index, err := strconv.Atoi(token); err == nil && v.IsArray() {
			v = v.Element(index)
		} else {
			v = v.field(token)
		}
	}
	return v
}
