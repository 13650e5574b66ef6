package envoybinary

import (
	"maps"
	"slices"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/probe"
)

// A Source says what an event of a recipe means.
type Source struct {
	Name  string
	Table *Table
}

// Without returns the proof without some of its probes, by their names in package envoy.
func (p *Proof) Without(names []string) *Proof {
	if len(names) == 0 {
		return p
	}
	rest := *p
	rest.Off = maps.Clone(p.Off)
	rest.Values = slices.DeleteFunc(slices.Clone(p.Values), func(v Value) bool {
		return slices.Contains(names, v.Name)
	})
	for _, name := range names {
		rest.TurnOff(name, probe.LeftOff)
		switch name {
		case envoy.ProbeJoin:
			rest.Join = nil
		case envoy.ProbeCluster:
			if rest.Join != nil {
				join := *rest.Join
				join.Cluster = nil
				rest.Join = &join
			}
		case envoy.ProbeStatements:
			rest.Gate, rest.Statements = false, nil
		}
	}
	if rest.Join != nil && rest.Join.Cluster != nil && slices.Contains(names, envoy.ProbeStatements) {
		// who wants it cheap has the cluster from the join
		rest.Values = slices.DeleteFunc(rest.Values, func(v Value) bool { return v.Name == envoy.ProbeCluster })
		rest.TurnOff(envoy.ProbeCluster, probe.LeftOff+" with the statements: the join tells it")
	}
	return &rest
}

// Recipes makes the probes of a proof, and says what the events of each mean. What was not proven
// is not among them. wanted are the log statements that are probed, each by itself; nil: all of
// them, by one probe on the gate.
func (p *Proof) Recipes(wanted func(Statement) bool) (all []envoy.Recipe, sources []Source) {
	add := func(name string, r envoy.Recipe) {
		r.Name = name
		all, sources = append(all, r), append(sources, Source{name, p.Table})
	}
	for _, v := range p.Values {
		r := RecipeAt(v.At, envoy.Value, v.Tables)
		r.CallerFrom, r.CallerTo, r.View, r.Ways = v.Caller.From, v.Caller.To, v.Argument, []envoy.Way{v.Way.Recipe()}
		add(v.Name, r)
	}
	if j := p.Join; j != nil {
		ready := RecipeAt(p.Table.Functions[OnPoolReady], envoy.Ready, p.Table.Tables(UpstreamRequest))
		ready.Ways = []envoy.Way{j.Downstream.Recipe(), j.Local.Recipe(), j.Remote.Recipe()}
		if j.Cluster != nil {
			ready.Ways = append(ready.Ways, j.Cluster.Recipe())
		}
		if j.Connection != nil {
			number := j.Connection.Recipe()
			ready.Number = &number
		}
		add(OnPoolReady, ready)
	}
	if p.Gate {
		if begins, ok := p.Table.RequestBegins(); ok && p.Table.Tables(UpstreamRequest) != nil {
			add(begins, p.Table.request(begins))
		}
		add(OnFileEvent, RecipeAt(p.Table.Functions[OnFileEvent], envoy.Dispatch, p.Table.Connections()))
		add(envoy.ProbeStatements, p.statements(wanted))
	}
	return all, sources
}

// RecipeAt is a probe at a place, on objects whose first word is one of tables.
func RecipeAt(place Place, kind uint16, tables []uint64) envoy.Recipe {
	return envoy.Recipe{Kind: kind, Probe: place.Probe, FileOffset: place.Offset, Tables: tables}
}

// Recipe is the way as a probe goes it.
func (w Way) Recipe() envoy.Way {
	return envoy.Way{From: w.From, Pointers: w.Pointers, Offset: w.Offset}
}

// Connections are the tables of the classes by which a connection is checked to be one.
func (t *Table) Connections() []uint64 {
	return t.Tables(ServerConnection, ClientConnection)
}

// request is where an upstream request begins. It is checked to be one, except in its constructor,
// where it is none yet.
func (t *Table) request(name string) envoy.Recipe {
	if name == NewRequest {
		return RecipeAt(t.Functions[name], envoy.Request, nil)
	}
	return RecipeAt(t.Functions[name], envoy.Request, t.Tables(UpstreamRequest))
}

// statements probes those that are wanted, each by itself; all of them by one probe on the gate.
func (p *Proof) statements(wanted func(Statement) bool) envoy.Recipe {
	r := RecipeAt(p.Table.Gate, envoy.Statement, nil)
	if wanted == nil {
		return r
	}
	for _, site := range p.Table.Sites(wanted) {
		r.Sites = append(r.Sites, envoy.Site{FileOffset: site.Offset, Return: site.Return})
	}
	return r
}
