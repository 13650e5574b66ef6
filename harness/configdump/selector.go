package configdump

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// ErrSelector is in the chain of an error about a selector that leads to no field of the dump.
var ErrSelector = errors.New("show field")

// selectable are the kinds of resources that a selector begins with, by their sections.
var selectable = map[string]Kind{
	"listeners": Listener,
	"clusters":  Cluster,
	"routes":    RouteConfig,
	"endpoints": Endpoints,
	"secrets":   Secret,
}

// A selectorStep is one step of a selector.
type selectorStep struct {
	text    string
	place   bool // it can be an index
	byIndex bool // it is one, and no name
}

// Select returns the field that a selector names: a section, the name of a resource in it, and
// below it the names of fields; an element of a list is named by its index or by its own name.
// Unlike a JSON pointer it leads to the same field in the next dump too. It is written in one of
// two ways: routes["8080"].virtual_hosts["reviews.default.svc.cluster.local:9080"].routes[0], in
// which a name is a JSON string, as Selector and the reports write it; or
// routes/8080/virtual_hosts/…/routes/0, in which a / in a name is ~1 (RFC 6901).
func (d *Dump) Select(selector string) (Value, error) {
	section, rest, err := partsOf(selector)
	if err != nil {
		return Value{}, fmt.Errorf("%w %q: %w", ErrSelector, selector, err)
	}
	at, rest, err := d.begin(section, rest)
	for _, p := range rest {
		if err == nil {
			at, err = at.step(p)
		}
	}
	if err != nil {
		return Value{}, fmt.Errorf("%w %q: %w", ErrSelector, selector, err)
	}
	return at, nil
}

// begin is the resource that the first two parts of a selector name, and what is left of it.
func (d *Dump) begin(section string, rest []selectorStep) (Value, []selectorStep, error) {
	kind, ok := selectable[section]
	switch {
	case section == "bootstrap":
		return d.Bootstrap(), rest, nil
	case !ok:
		return Value{}, nil, errors.New("it is neither a JSON pointer, /configs/0/…, nor a selector, which begins " +
			"with a section (bootstrap, clusters, endpoints, listeners, routes, secrets)")
	case len(rest) == 0:
		return Value{}, nil, fmt.Errorf("it names a section alone (--section shows one; a selector goes on with a "+
			"name: %s/NAME)", section)
	}
	resource, found := d.Lookup(kind, rest[0].text)
	if !found || rest[0].byIndex {
		return Value{}, nil, fmt.Errorf("there is no %s of that name%s", strings.TrimSuffix(section, "s"),
			among(resourceNames(d, kind)))
	}
	return resource.Value(), rest[1:], nil
}

var (
	bracketed = lazyregexp.New(`^\w+[[.]`)
	quoted    = lazyregexp.New(`^\["(?:[^"\\]|\\.)*"\]`)
	indexed   = lazyregexp.New(`^\[\d+\]`)
	dotted    = lazyregexp.New(`^\.\w+`)
)

// partsOf takes a selector apart, in either of its forms.
func partsOf(selector string) (section string, rest []selectorStep, err error) {
	if !bracketed.MatchString(selector) {
		for i, text := range strings.Split(selector, "/") {
			text = strings.NewReplacer("~1", "/", "~0", "~").Replace(text)
			if i == 0 {
				section = text
				continue
			}
			rest = append(rest, selectorStep{text: text, place: true})
		}
		return section, rest, nil
	}
	end := strings.IndexAny(selector, "[.")
	section = selector[:end]
	for left := selector[end:]; left != ""; {
		var p selectorStep
		token := quoted.FindString(left)
		switch {
		case token != "":
			if err := json.Unmarshal([]byte(token[1:len(token)-1]), &p.text); err != nil {
				return "", nil, fmt.Errorf("%s is no JSON string", token[1:len(token)-1])
			}
		case indexed.MatchString(left):
			token = indexed.FindString(left)
			p = selectorStep{text: token[1 : len(token)-1], place: true, byIndex: true}
		case dotted.MatchString(left):
			token = dotted.FindString(left)
			p.text = token[1:]
		default:
			return "", nil, fmt.Errorf(`%q is none of .FIELD, ["NAME"] and [INDEX]`, left)
		}
		rest, left = append(rest, p), left[len(token):]
	}
	return section, rest, nil
}

// step is the field or the element of a value that a step of a selector names.
func (v Value) step(p selectorStep) (Value, error) {
	if v.IsObject() && !p.byIndex {
		if next := v.Get(p.text); next.Exists() {
			return next, nil
		}
		var names []string
		for name := range v.Fields() {
			names = append(names, name)
		}
		return v, fmt.Errorf("there is no %s at %s%s", p.text, v.Pointer(), among(names))
	}
	if !v.IsArray() {
		if v.IsObject() {
			return v, fmt.Errorf("%s is no list, and has no element %s", v.Pointer(), p.text)
		}
		return v, fmt.Errorf("%s is a value, and nothing is below it", v.Pointer())
	}
	if index, err := strconv.Atoi(p.text); p.place && err == nil && index >= 0 && index < v.Len() {
		return v.Element(index), nil
	}
	var names, found []string
	var one Value
	for i, e := range v.Elements() {
		name := e.Get("name").Text()
		names = append(names, name)
		if name == p.text && !p.byIndex {
			found, one = append(found, strconv.Itoa(i)), e
		}
	}
	switch len(found) {
	case 0:
		return v, fmt.Errorf("no element of %s is called %s%s", v.Pointer(), p.text, among(names))
	case 1:
		return one, nil
	}
	return v, fmt.Errorf("%d elements of %s are called %s (name one by its index: %s)", len(found), v.Pointer(), p.text,
		strings.Join(found, ", "))
}

func resourceNames(d *Dump, kind Kind) []string {
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
