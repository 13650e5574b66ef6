//go:build linux && amd64

package trace

import (
	"maps"
	"slices"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/symbols"
)

// split tells the names of probes on Envoy from those of the kernel's.
func split(names []string) (onEnvoy, onKernel []string) {
	for _, name := range names {
		if slices.Contains(Costly, name) {
			onEnvoy = append(onEnvoy, name)
		} else {
			onKernel = append(onKernel, name)
		}
	}
	return onEnvoy, onKernel
}

// leaveOff returns the proof without some of its probes.
func leaveOff(p *symbols.Proof, names []string) *symbols.Proof {
	if len(names) == 0 {
		return p
	}
	rest := *p
	rest.Off = maps.Clone(p.Off)
	rest.Values = slices.DeleteFunc(slices.Clone(p.Values), func(v symbols.Value) bool { return slices.Contains(names, v.Name) })
	for _, name := range names {
		rest.TurnOff(name, probe.LeftOff)
		switch name {
		case probeJoin:
			rest.Join = nil
		case probeGate:
			rest.Gate, rest.Statements = false, nil
		}
	}
	return &rest
}

// recipes makes the probes of a proof. What was not proven is not among them.
func recipes(p *symbols.Proof) (all []envoy.Recipe, sources []source) {
	add := func(name string, r envoy.Recipe) {
		r.Name = name
		all, sources = append(all, r), append(sources, source{name, p.Table})
	}
	for _, v := range p.Values {
		r := at(v.At, envoy.Value, v.Tables)
		r.CallerFrom, r.CallerTo, r.Pointers, r.Offset, r.String = v.Caller.From, v.Caller.To, v.Pointers, v.Offset, envoy.StdString
		if v.Argument {
			r.String = envoy.StringView
		}
		add(v.Name, r)
	}
	for _, name := range p.Join {
		add(name, joinRecipe(p.Table, name))
	}
	if p.Gate {
		add(probeGate, at(p.Table.Gate, envoy.Statement, nil))
	}
	return all, sources
}

func at(place symbols.Place, kind uint16, tables []uint64) envoy.Recipe {
	return envoy.Recipe{Kind: kind, Probe: place.Probe, FileOffset: place.Offset, Tables: tables}
}

// joinRecipe is one of the probes that follow a request. A connection is checked to be one; so is a request, except in its
// constructor, where it is none yet.
func joinRecipe(t *symbols.Table, name string) envoy.Recipe {
	connection := t.Tables(symbols.ServerConnection, symbols.ClientConnection)
	request := t.Tables(symbols.UpstreamRequest)
	place := t.Functions[name]
	switch name {
	case symbols.OnFileEvent:
		return at(place, envoy.Dispatch, connection)
	case symbols.Write:
		return at(place, envoy.Write, connection)
	case symbols.AcceptHeaders:
		return at(place, envoy.Request, request)
	case symbols.NewRequest:
		return at(place, envoy.Request, nil)
	case symbols.OnPoolReady:
		return at(place, envoy.Ready, request)
	}
	return envoy.Recipe{}
}

// joinProbes are the four that follow a request: where acceptHeadersFromRouter holds no statement by which it is found,
// the request's constructor, which runs where it does.
func joinProbes(t *symbols.Table) (names []string, missing string) {
	begins := symbols.AcceptHeaders
	if _, ok := t.Functions[begins]; !ok {
		begins = symbols.NewRequest
	}
	names = []string{symbols.OnFileEvent, symbols.Write, begins, symbols.OnPoolReady}
	for _, name := range names {
		if _, ok := t.Functions[name]; !ok {
			return nil, name + ": " + t.Missing[name]
		}
	}
	for _, class := range [][]string{{symbols.ServerConnection, symbols.ClientConnection}, {symbols.UpstreamRequest}} {
		if t.Tables(class...) == nil {
			return nil, "the virtual tables of " + class[0] + " are not known"
		}
	}
	return names, ""
}
