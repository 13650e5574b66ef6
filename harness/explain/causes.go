package explain

import (
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
)

// Causes returns the causes of a flag's or details' entry, for a direction ("": any) and, where one
// is given, for a dump. Those that the dump shows come first. details are the whole string of a
// log, with what it has in brackets.
func Causes(entry glossary.Entry, details string, direction flow.Direction, dump *configdump.Dump) []flow.Cause {
	return causesOf(entry, direction, dump, scope{details: details})
}

func causesOf(entry glossary.Entry, direction flow.Direction, dump *configdump.Dump, s scope) []flow.Cause {
	s.direction = direction
	var all []flow.Cause
	for _, c := range entry.Causes {
		if c.Side != "" && direction != "" && c.Side != sideOf(direction) {
			continue
		}
		cause := flow.Cause{Of: entry.Name, Text: c.Text}
		if dump != nil && c.Check != "" {
			cause.Found, cause.Looked = check(c.Check, dump, s)
		}
		all = append(all, cause)
	}
	byRank(all)
	return all
}

// byRank puts what the dump shows first.
func byRank(all []flow.Cause) {
	slices.SortStableFunc(all, func(a, b flow.Cause) int { return rank(a) - rank(b) })
}

// rank orders causes: what the dump shows, what it cannot tell, what it has nothing of.
func rank(c flow.Cause) int {
	switch {
	case len(c.Found) > 0:
		return 0
	case !c.Looked:
		return 1
	}
	return 2
}

func sideOf(d flow.Direction) string {
	if d == flow.Inbound {
		return string(flow.Server)
	}
	return string(flow.Client)
}

// causes are those of what the line says: of its flags, and of its details where these have some of
// their own.
func causes(e flow.Explanation, line logformat.Line, opts Options) []flow.Cause {
	s := scope{cluster: line.Value(logformat.Cluster), details: e.Details, route: routeSource(e.Hops)}
	var all []flow.Cause
	names := slices.Clone(e.Flags)
	if e.Failed {
		names = append(names, glossary.Base(e.Details))
	}
	for _, name := range names {
		for _, kind := range []glossary.Kind{glossary.Flag, glossary.Details} {
			if entry, ok := glossary.Of(kind, name, opts.Language); ok {
				all = append(all, causesOf(entry, e.Direction, opts.Dump, s)...)
			}
		}
	}
	byRank(all)
	return all
}

func routeSource(hops []flow.ExplainedHop) string {
	for _, h := range hops {
		if h.Kind == flow.Route {
			return h.Source
		}
	}
	return ""
}
