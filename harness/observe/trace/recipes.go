//go:build linux && amd64

package trace

import (
	"maps"
	"slices"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/internal/symbols"
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
		case valueCluster:
			if rest.Join != nil {
				join := *rest.Join
				join.Cluster = nil
				rest.Join = &join
			}
		case probeStatements:
			rest.Gate, rest.Statements = false, nil
		}
	}
	if rest.Join != nil && rest.Join.Cluster != nil && slices.Contains(names, probeStatements) { // who wants it cheap has the cluster from the join
		rest.Values = slices.DeleteFunc(rest.Values, func(v symbols.Value) bool { return v.Name == valueCluster })
		rest.TurnOff(valueCluster, probe.LeftOff+" with the statements: the join tells it")
	}
	return &rest
}

// recipes makes the probes of a proof, with the log statements of a level. What was not proven is not among them.
func recipes(p *symbols.Proof, level Level) (all []envoy.Recipe, sources []source) {
	add := func(name string, r envoy.Recipe) {
		r.Name = name
		all, sources = append(all, r), append(sources, source{name, p.Table})
	}
	for _, v := range p.Values {
		r := at(v.At, envoy.Value, v.Tables)
		r.CallerFrom, r.CallerTo, r.View, r.Ways = v.Caller.From, v.Caller.To, v.Argument, []envoy.Way{way(v.Way)}
		add(v.Name, r)
	}
	if j := p.Join; j != nil {
		ready := at(p.Table.Functions[symbols.OnPoolReady], envoy.Ready, p.Table.Tables(symbols.UpstreamRequest))
		ready.Ways = []envoy.Way{way(j.Downstream), way(j.Local), way(j.Remote)}
		if j.Cluster != nil {
			ready.Ways = append(ready.Ways, way(*j.Cluster))
		}
		if j.Connection != nil {
			number := way(*j.Connection)
			ready.Number = &number
		}
		add(symbols.OnPoolReady, ready)
	}
	if p.Gate {
		if begins, ok := p.Table.RequestBegins(); ok && p.Table.Tables(symbols.UpstreamRequest) != nil {
			add(begins, requestRecipe(p.Table, begins))
		}
		add(symbols.OnFileEvent, at(p.Table.Functions[symbols.OnFileEvent], envoy.Dispatch, connections(p.Table)))
		add(probeStatements, statementRecipe(p, level))
	}
	return all, sources
}

func at(place symbols.Place, kind uint16, tables []uint64) envoy.Recipe {
	return envoy.Recipe{Kind: kind, Probe: place.Probe, FileOffset: place.Offset, Tables: tables}
}

func way(w symbols.Way) envoy.Way {
	return envoy.Way{From: w.From, Pointers: w.Pointers, Offset: w.Offset}
}

// connections are the tables of the classes by which a connection is checked to be one.
func connections(t *symbols.Table) []uint64 {
	return t.Tables(symbols.ServerConnection, symbols.ClientConnection)
}

// requestRecipe is where an upstream request begins. It is checked to be one, except in its constructor, where it is none yet.
func requestRecipe(t *symbols.Table, name string) envoy.Recipe {
	if name == symbols.NewRequest {
		return at(t.Functions[name], envoy.Request, nil)
	}
	return at(t.Functions[name], envoy.Request, t.Tables(symbols.UpstreamRequest))
}

// all says whether all statements are traced: the others can be left off only where the kernel attaches many probes by one link.
func (l Level) all() bool { return l != LevelDebug || envoy.HaveMulti() != nil }

// statementRecipe probes the statements of a level, each by itself, and those that are evidence; all of them by one probe on
// the gate.
func statementRecipe(p *symbols.Proof, level Level) envoy.Recipe {
	r := at(p.Table.Gate, envoy.Statement, nil)
	if level.all() {
		return r
	}
	for _, site := range p.Table.Sites(debugged) {
		r.Sites = append(r.Sites, envoy.Site{FileOffset: site.Offset, Return: site.Return})
	}
	return r
}
