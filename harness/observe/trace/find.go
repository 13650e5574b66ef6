//go:build linux && amd64

package trace

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/internal/symbols"
)

// A hunt looks for a value: an object of a class, one of whose functions a known function calls once for each connection
// or request.
type hunt struct {
	name, class, caller string
	busy                bool // called for every request, so that it matters who else calls it
	value               func(route) string
}

var hunts = []hunt{
	{symbols.ValueFilterChain, symbols.FilterChain, symbols.NewConnection, false, func(r route) string { return r.chain }},
	{symbols.ValueCluster, symbols.ClusterInfo, symbols.DecodeHeaders, true, func(r route) string { return r.cluster }},
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

// hunt watches all functions of the class while single requests are sent on both routes, takes one that the caller
// called once for each, and searches the two objects for the two names.
func (p *prover) hunt(h hunt) error {
	t := p.proof.Table
	caller, ok := t.Functions[h.caller]
	tables := t.Tables(h.class)
	if !ok || tables == nil {
		return &offError{fmt.Sprintf("%s or %s is not known", h.caller, h.class)}
	}
	var recipes []envoy.Recipe
	var sources []source
	slots := map[string]symbols.Place{}
	for _, slot := range t.Classes[h.class][0].Slots {
		place, ok := t.Slot(slot)
		name := fmt.Sprintf("%s at %#x", h.name, slot)
		if _, twice := slots[name]; ok && !twice {
			r := at(place, envoy.Call, tables)
			r.Name = name
			recipes, sources = append(recipes, r), append(sources, source{name, t})
			slots[name] = place
		}
	}
	const rounds = 3
	r, err := p.observe(recipes, sources, func() error {
		for range rounds {
			for _, route := range p.bench.routes {
				if _, err := p.bench.once(route.port); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	h.prefer(recipes, r.Events, caller.Function)
	for _, recipe := range recipes {
		objects := calledInTurn(r.Events, recipe.Name, caller.Function, rounds)
		if objects == nil {
			continue
		}
		if v, ok := p.search(h, objects); ok {
			v.At, v.Tables, v.Caller = slots[recipe.Name], tables, caller.Function
			p.proof.Values = append(p.proof.Values, v)
			return nil
		}
	}
	return &offError{fmt.Sprintf("no function of %s is called once from %s with an object that holds the name", h.class, h.caller)}
}

// prefer puts those first that the caller calls early, before it makes what the value is told about: a connection, an
// upstream request. Where every call counts, those that others call least come before all others, for each call will stop at the probe.
func (h hunt) prefer(recipes []envoy.Recipe, events []Event, caller symbols.Function) {
	calls, first := map[string]int{}, map[string]int{}
	for i, e := range events {
		if e.Kind != ClassCalled {
			continue
		}
		calls[e.Name]++
		if _, ok := first[e.Name]; !ok && e.Other >= caller.From && e.Other < caller.To {
			first[e.Name] = i
		}
	}
	slices.SortStableFunc(recipes, func(a, b envoy.Recipe) int {
		early := cmp.Compare(first[a.Name], first[b.Name])
		if !h.busy {
			return early
		}
		return cmp.Or(cmp.Compare(calls[a.Name], calls[b.Name]), early)
	})
}

// calledInTurn returns the two objects that the caller called a function with, when its calls were as the requests: once
// each, on the two routes by turns.
func calledInTurn(events []Event, name string, caller symbols.Function, rounds int) []uint64 {
	var objects []uint64
	for _, e := range events {
		if e.Kind == ClassCalled && e.Name == name && e.Other >= caller.From && e.Other < caller.To {
			objects = append(objects, e.Object)
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
func (p *prover) search(h hunt, objects []uint64) (symbols.Value, bool) {
	m := memory{pid: p.bench.envoy.Process.Pid}
	defer m.close()
	right := func(way symbols.Way) bool {
		for i, object := range objects {
			if m.follow(object, way) != h.value(p.bench.routes[i]) {
				return false
			}
		}
		return true
	}
	for offset := int32(0); offset < objectSize; offset += wordSize {
		if way := (symbols.Way{Offset: offset}); right(way) {
			return symbols.Value{Name: h.name, Way: way}, true
		}
	}
	for pointer := int32(0); pointer < objectSize/8; pointer += wordSize {
		for offset := int32(0); offset < pointedSize; offset += wordSize {
			if way := (symbols.Way{Pointers: []int32{pointer}, Offset: offset}); right(way) {
				return symbols.Value{Name: h.name, Way: way}, true
			}
		}
	}
	return symbols.Value{}, false
}
