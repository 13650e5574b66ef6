package configdump

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// errNoConfigs is a text that is no config dump: it may be one of the shapes that adopt knows.
var errNoConfigs = errors.New(`no "configs" at the top`)

// build makes the index of a dump in one pass over its text.
func build(data []byte) (*Dump, error) { return buildWith(data, helpersFor(data)) }

// buildWith is build with the help of so many other processors.
func buildWith(data []byte, helpers int) (*Dump, error) {
	d := &Dump{data: data, byName: map[Kind]map[string]*Resource{}}
	x := newIndexer(d)
	others := startAhead(d, helpers)
	defer others.end()
	found := false
	x.object(func(key []byte) {
		if string(key) == "configs" {
			found = true
			at := below(nil, "configs", -1)
			x.array(func(i int) {
				if at := below(at, "", i); !x.join(others.taken(x.pos), at) {
					x.section(at)
				}
			})
		}
	})
	if x.err == nil && x.peek() != 0 {
		x.fail(x.pos, "text after the end of the dump")
	}
	if x.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, x.err)
	}
	if !found {
		return nil, errNoConfigs
	}
	d.found = x.found
	d.order()
	return d, nil
}

// order sets the preference of resources with the same name: see Lookup.
func (d *Dump) order() {
	for kind, all := range d.resources {
		names := make(map[string]*Resource, len(all))
		for _, r := range all {
			if have, ok := names[r.Name]; !ok || r.State < have.State {
				names[r.Name] = r
			}
		}
		d.byName[kind] = names
	}
}

// An indexer is the scanner that builds a dump's index.
type indexer struct {
	scanner
	dump  *Dump
	found found
}

// found is what an index has of a dump, or of a part of it.
type found struct {
	bootstrap Value
	resources map[Kind][]*Resource
	sections  map[Kind]bool
}

func newIndexer(d *Dump) indexer {
	return indexer{scanner: scanner{data: d.data}, dump: d,
		found: found{resources: map[Kind][]*Resource{}, sections: map[Kind]bool{}}}
}

// section indexes one member of configs, which is a section or, in a dump of ?resource=…,
// one element of one.
func (x *indexer) section(at *step) {
	sectionType := ""
	start := x.pos
	x.object(func(key []byte) {
		name := string(key)
		if shape, ok := arrays[FieldName(name)]; ok {
			x.found.sections[shape.kind] = true
			if list := below(at, name, -1); x.peek() == '[' {
				x.array(func(i int) { x.element(shape, below(list, "", i)) })
			}
			return
		}
		switch name {
		case "@type":
			if from, to := x.skip(); x.err == nil {
				sectionType = strings.Trim(string(x.data[from:to]), `"`)
			}
		case "bootstrap":
			from, to := x.skip()
			x.found.bootstrap = Value{x.dump, from, to, below(at, name, -1)}
		}
	})
	if x.err != nil {
		return
	}
	message := sectionType
	if i := strings.LastIndex(sectionType, "v3."); i >= 0 {
		message = sectionType[i+len("v3."):]
	}
	for kind := Listener; kind <= Extension; kind++ {
		if message == kind.section() {
			x.found.sections[kind] = true // a section may be empty
		}
	}
	if array, ok := singles[message]; ok {
		end := x.pos
		x.pos = start
		x.found.sections[arrays[array].kind] = true
		x.element(arrays[array], at)
		x.pos = end
	}
}

// element indexes one element of a section's array.
func (x *indexer) element(shape shape, at *step) {
	if x.peek() != '{' {
		return
	}
	x.object(func(key []byte) {
		name, s := string(key), shape
		if s.kind == Listener && s.state != Static {
			switch FieldName(name) {
			case "active_state":
			case "warming_state":
				s.state = Warming
			case "draining_state":
				s.state = Draining
			default:
				return
			}
			state := below(at, name, -1)
			x.members(func(key string) {
				if key == "listener" {
					x.resource(s, below(state, key, -1))
				}
			})
			return
		}
		if FieldName(name) == s.field {
			x.resource(s, below(at, name, -1))
		}
	})
}

// members walks over an object's fields, and over nothing if it is not one.
func (x *indexer) members(field func(key string)) {
	if x.peek() == '{' {
		x.object(func(key []byte) { field(string(key)) })
	}
}

// resource indexes one resource: its name, its bounds and, of a listener, its addresses.
func (x *indexer) resource(shape shape, at *step) {
	if c := x.peek(); c == '[' && shape.kind == ScopedRoute { // the scopes of one connection manager
		start, end := x.skip()
		x.found.resources[shape.kind] = append(x.found.resources[shape.kind],
			&Resource{Kind: shape.kind, State: shape.state, value: Value{x.dump, start, end, at}})
		return
	} else if c != '{' {
		return
	}
	r := &Resource{Kind: shape.kind, State: shape.state}
	start := x.pos
	x.object(func(key []byte) {
		switch {
		case shape.kind == Endpoints && sameField(key, "cluster_name"),
			shape.kind != Endpoints && string(key) == "name":
			if from, to := x.skip(); x.err == nil {
				r.Name = Value{dump: x.dump, start: from, end: to}.Text()
			}
		case shape.kind == Listener && (string(key) == "address" || sameField(key, "additional_addresses")):
			place := below(at, string(key), -1)
			from, to := x.skip()
			r.Addresses = append(r.Addresses, Value{x.dump, from, to, place})
		}
	})
	r.value = Value{x.dump, start, x.pos, at}
	x.found.resources[shape.kind] = append(x.found.resources[shape.kind], r)
}

// FieldName returns a protobuf field name from its lowerCamelCase form, which protobuf's JSON
// mapping allows too. A name that is no field (a key of a map) may come back changed.
func FieldName(name string) string {
	if strings.ToLower(name) == name {
		return name
	}
	var b bytes.Buffer
	for _, c := range []byte(name) {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}
