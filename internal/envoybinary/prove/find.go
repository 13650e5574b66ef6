//go:build linux && amd64

package prove

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/testbed"
)

// A hunt looks for a value: an object of a class, one of whose functions a known function calls
// once for each connection or request.
type hunt struct {
	name, class, caller string
	busy                bool // called for every request, so that it matters who else calls it
	value               func(testbed.Route) string
}

var hunts = []hunt{
	{envoy.ProbeFilterChain, envoybinary.FilterChain, envoybinary.NewConnection, false, func(r testbed.Route) string {
		return r.Chain
	}},
	{envoy.ProbeCluster, envoybinary.ClusterInfo, envoybinary.DecodeHeaders, true, func(r testbed.Route) string {
		return r.Cluster
	}},
}

// findValues finds where filter chain and cluster keep their names.
func (p *prover) findValues() error {
	for _, h := range hunts {
		if missing := p.hunt(h); missing != nil {
			if _, ok := missing.(*offError); !ok {
				return missing
			}
			p.proof.TurnOff(h.name, missing.Error())
		}
	}
	return nil
}

// An offError says why one value cannot be read; the others still can.
type offError struct{ why string }

func (e *offError) Error() string { return e.why }

// hunt watches all functions of the class while single requests are sent on both routes by each
// kind of route entry, takes one that the caller called once for each, and searches the two
// objects for the two names.
func (p *prover) hunt(h hunt) error {
	t := p.proof.Table
	caller, ok := t.Functions[h.caller]
	tables := t.Tables(h.class)
	if !ok || tables == nil {
		return &offError{fmt.Sprintf("%s or %s is not known", h.caller, h.class)}
	}
	var recipes []envoy.Recipe
	var sources []envoybinary.Source
	slots := map[string]envoybinary.Place{}
	for _, slot := range t.Classes[h.class][0].Slots {
		place, ok := t.Slot(slot)
		name := fmt.Sprintf("%s at %#x", h.name, slot)
		if _, twice := slots[name]; ok && !twice {
			r := envoybinary.RecipeAt(place, envoy.Call, tables)
			r.Name = name
			recipes, sources = append(recipes, r), append(sources, envoybinary.Source{Name: name, Table: t})
			slots[name] = place
		}
	}
	rounds := len(testbed.Entries)
	seen, err := p.observe(recipes, sources, func() error {
		for _, e := range testbed.Entries {
			for _, route := range p.bed.Routes {
				if _, err := p.bed.Once(route.Port, route.By(e)...); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	h.prefer(recipes, seen.Calls, caller.Function)
	for _, recipe := range recipes {
		objects := calledInTurn(seen.Calls, recipe.Name, caller.Function, rounds)
		if objects == nil {
			continue
		}
		if v, ok := p.search(h, objects); ok {
			v.At, v.Tables, v.Caller = slots[recipe.Name], tables, caller.Function
			p.proof.Values = append(p.proof.Values, v)
			return nil
		}
	}
	return &offError{
		fmt.Sprintf("no function of %s is called once from %s with an object that holds the name", h.class, h.caller),
	}
}

// prefer puts those first that the caller calls early, before it makes what the value is told
// about: a connection, an upstream request. Where every call counts, those that others call least
// come before all others, for each call will stop at the probe.
func (h hunt) prefer(recipes []envoy.Recipe, calls []Call, caller envoybinary.Function) {
	times, first := map[string]int{}, map[string]int{}
	for i, c := range calls {
		times[c.Recipe]++
		if _, ok := first[c.Recipe]; !ok && caller.Contains(c.Caller) {
			first[c.Recipe] = i
		}
	}
	slices.SortStableFunc(recipes, func(a, b envoy.Recipe) int {
		early := cmp.Compare(first[a.Name], first[b.Name])
		if !h.busy {
			return early
		}
		return cmp.Or(cmp.Compare(times[a.Name], times[b.Name]), early)
	})
}

// calledInTurn returns the two objects that the caller called a function with, when its calls were
// as the requests: once each, on the two routes by turns.
func calledInTurn(calls []Call, name string, caller envoybinary.Function, rounds int) []uint64 {
	var objects []uint64
	for _, c := range calls {
		if c.Recipe == name && caller.Contains(c.Caller) {
			objects = append(objects, c.Object)
		}
	}
	if len(objects) != 2*rounds || objects[0] == objects[1] {
		return nil
	}
	for i := range objects {
		if objects[i] != objects[i%2] {
			return nil
		}
	}
	return objects[:2]
}

// How far a name is searched for: in the object, and in what its words point to.
const (
	objectSize  = 4096
	pointedSize = 128
)

// search finds one way to the name that is right for both objects.
func (p *prover) search(h hunt, objects []uint64) (envoybinary.Value, bool) {
	m := memory{pid: p.bed.PID()}
	defer m.close()
	right := func(way envoybinary.Way) bool {
		for i, object := range objects {
			if m.follow(object, way) != h.value(p.bed.Routes[i]) {
				return false
			}
		}
		return true
	}
	for offset := int32(0); offset < objectSize; offset += wordSize {
		if way := (envoybinary.Way{Offset: offset}); right(way) {
			return envoybinary.Value{Name: h.name, Way: way}, true
		}
	}
	for pointer := int32(0); pointer < objectSize/8; pointer += wordSize {
		for offset := int32(0); offset < pointedSize; offset += wordSize {
			if way := (envoybinary.Way{Pointers: []int32{pointer}, Offset: offset}); right(way) {
				return envoybinary.Value{Name: h.name, Way: way}, true
			}
		}
	}
	return envoybinary.Value{}, false
}
