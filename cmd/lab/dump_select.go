package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/internal/exit"
)

// sections are the parts of a dump that a selector begins with.
var sections = map[string]configdump.Kind{
	"listeners": configdump.Listener,
	"clusters":  configdump.Cluster,
	"routes":    configdump.RouteConfig,
	"endpoints": configdump.Endpoints,
	"secrets":   configdump.Secret,
}

// selected is the field that a selector names: a section, the name of a resource in it, and
// below it the names of fields; an element of a list is named by its index or by its own name.
// Unlike a JSON pointer it leads to the same field in the next dump too. A / in a name is
// written ~1 (RFC 6901).
func selected(d *configdump.Dump, selector string) (configdump.Value, error) {
	parts := strings.Split(selector, "/")
	for i, part := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
	}
	var at configdump.Value
	rest := parts[1:]
	switch kind, ok := sections[parts[0]]; {
	case parts[0] == "bootstrap":
		at = d.Bootstrap()
	case !ok:
		return at, exit.Usagef(
			"show field %q: it is neither a JSON pointer, /configs/0/…, nor a selector, which begins with a section "+
				"(bootstrap, clusters, endpoints, listeners, routes, secrets)",
			selector,
		)
	case len(rest) == 0:
		return at, exit.Usagef(
			"show field %q: it names a section alone (--section shows one; a selector goes on with a name: %s/NAME)",
			selector,
			parts[0],
		)
	default:
		resource, found := d.Lookup(kind, rest[0])
		if !found {
			return at, exit.Usagef(
				"show field %q: there is no %s of that name%s",
				selector,
				strings.TrimSuffix(parts[0], "s"),
				among(resourceNames(d, kind)),
			)
		}
		at, rest = resource.Value(), rest[1:]
	}
	for _, part := range rest {
		next, err := below(at, part)
		if err != nil {
			return at, exit.Usagef("show field %q: %w", selector, err)
		}
		at = next
	}
	return at, nil
}

// below is the field or the element of a value that a part of a selector names.
func below(at configdump.Value, part string) (configdump.Value, error) {
	if at.IsObject() {
		if next := at.Get(part); next.Exists() {
			return next, nil
		}
		var names []string
		for name := range at.Fields() {
			names = append(names, name)
		}
		return at, fmt.Errorf("there is no %s at %s%s", part, at.Pointer(), among(names))
	}
	if !at.IsArray() {
		return at, fmt.Errorf("%s is a value, and nothing is below it", at.Pointer())
	}
	if index, err := strconv.Atoi(part); err == nil && index >= 0 && index < at.Len() {
		return at.Element(index), nil
	}
	var names, found []string
	var one configdump.Value
	for _, e := range at.Elements() {
		name := e.Get("name").Text()
		names = append(names, name)
		if name == part {
			found, one = append(found, e.Pointer()[strings.LastIndexByte(e.Pointer(), '/')+1:]), e
		}
	}
	switch len(found) {
	case 0:
		return at, fmt.Errorf("no element of %s is called %s%s", at.Pointer(), part, among(names))
	case 1:
		return one, nil
	}
	return at, fmt.Errorf(
		"%d elements of %s are called %s (name one by its index: %s)",
		len(found),
		at.Pointer(),
		part,
		strings.Join(found, ", "),
	)
}

func resourceNames(d *configdump.Dump, kind configdump.Kind) []string {
	var names []string
	for _, r := range d.Resources(kind) {
		names = append(names, r.Name)
	}
	return names
}

// among says in brackets what there is instead; where there is much, only some of it.
func among(names []string) string {
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
	slices.Sort(names)
	names = slices.Compact(names)
	const most = 12
	switch {
	case len(names) == 0:
		return ""
	case len(names) > most:
		return fmt.Sprintf(" (there are: %s and %d more)", strings.Join(names[:most], ", "), len(names)-most)
	}
	return " (there are: " + strings.Join(names, ", ") + ")"
}
