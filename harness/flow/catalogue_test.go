package flow

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// constants returns the string constants of a file for whose name and type ok holds.
func constants(t *testing.T, file string, ok func(name, kind string) bool) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, is := n.(*ast.ValueSpec)
		if !is || len(spec.Values) != 1 {
			return true
		}
		kind := ""
		if id, named := spec.Type.(*ast.Ident); named {
			kind = id.Name
		}
		if literal, text := spec.Values[0].(*ast.BasicLit); text && ok(spec.Names[0].Name, kind) {
			value, _ := strconv.Unquote(literal.Value)
			all = append(all, value)
		}
		return true
	})
	return all
}

func TestEachHopHasOneRow(t *testing.T) {
	kinds := constants(t, "hop.go", func(_, kind string) bool { return kind == "HopKind" })
	for _, kind := range kinds {
		if n := len(slices.DeleteFunc(HopKinds(), func(k string) bool { return k != kind })); n != 1 {
			t.Errorf("hop %s has %d rows in Hops, want 1", kind, n)
		}
	}
	if len(kinds) < 15 || len(Hops) != len(kinds) {
		t.Errorf("%d rows for %d kinds", len(Hops), len(kinds))
	}
	for i, h := range Hops {
		if h.End == 0 {
			t.Errorf("hop %s has no end", h.Kind)
		}
		if i > 0 && h.End < Hops[i-1].End {
			t.Errorf("hop %s is on an end before the one of %s", h.Kind, Hops[i-1].Kind)
		}
	}
}

func TestEachFactHasOneRow(t *testing.T) {
	isFact := func(name, _ string) bool { return strings.HasPrefix(name, "Fact") }
	names := append(constants(t, "hop.go", isFact), constants(t, "attempt.go", isFact)...)
	for _, name := range names {
		n := 0
		for _, f := range Facts {
			if f.Name == name {
				n++
			}
		}
		if n != 1 {
			t.Errorf("fact %s has %d rows in Facts, want 1", name, n)
		}
	}
	if len(names) < 35 || len(Facts) != len(names) {
		t.Errorf("%d rows for %d facts", len(Facts), len(names))
	}
	for _, h := range Hops {
		for _, a := range h.Arrivals {
			if !slices.Contains(names, a) {
				t.Errorf("%s, which shows that a request came to %s, is no fact", a, h.Kind)
			}
		}
	}
}

func TestOrderOnTheWay(t *testing.T) {
	order := []HopKind{Resolve, NodePort, Redirect, Listener, FilterChain, HTTPFilters, Route, Cluster, Connect, App}
	for i, k := range order[1:] {
		if k.Order() <= order[i].Order() {
			t.Errorf("%s does not come after %s", k, order[i])
		}
	}
	if HopKind("elsewhere").Order() >= 0 {
		t.Error("a kind that is none has a place on the way")
	}
}

func TestSameMeaning(t *testing.T) {
	for _, c := range []struct {
		fact string
		a, b HopKind
		want bool
	}{
		{FactCluster, Route, Cluster, true},
		{FactTransport, ListenerFilters, DownstreamTLS, true},
		{FactTransport, DownstreamTLS, UpstreamTLS, false},
		{FactProcess, Connect, App, false},
		{FactProcess, App, App, true},
		{FactConnections, Listener, Redirect, false},
	} {
		if got := FactOf(c.fact).SameMeaning(c.a, c.b); got != c.want {
			t.Errorf("%s of %s is the one of %s: %v", c.fact, c.b, c.a, got)
		}
	}
}
