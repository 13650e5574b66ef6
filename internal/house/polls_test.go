package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clocks are the files that wait for the clock itself, each with its reason. All others wait for an
// event, or look again by internal/wait, whose deadline is the caller's.
var clocks = map[string]string{
	"internal/wait/wait.go":                "it is where the others wait",
	"harness/mesh/lease.go":                "a holder says that it lives every so often",
	"harness/mesh/use.go":                  "two samples are so far apart",
	"harness/cluster/kind/up.go":           "what a killed client asked of Docker may come later",
	"internal/envoybinary/testbed/hold.go": "a deadline",
	"internal/progress/plain.go":           "a line every so often",
	"internal/enclosure/sweeper.go":        "the machine has no process to give",
}

// TestPollsAreOne holds that no package has a loop of its own that looks, pauses and looks again.
func TestPollsAreOne(t *testing.T) {
	found := map[string]bool{}
	for _, s := range sources(t) {
		name := filepath.ToSlash(filepath.Join(s.dir, s.file))
		if strings.HasPrefix(name, "hack/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			of, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"NewTicker", "NewTimer", "After", "Sleep", "Tick"}, of.Sel.Name) {
				return true
			}
			if of, ok := of.X.(*ast.Ident); ok && of.Name == "time" {
				found[name] = true
			}
			return true
		})
	}
	for name := range found {
		if clocks[name] == "" {
			t.Errorf("%s waits for the clock (wait for an event, or look again by internal/wait)", name)
		}
	}
	for name := range clocks {
		if !found[name] {
			t.Errorf("%s does not wait for the clock any more: take it off the list", name)
		}
	}
}
