package sometimes

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// all is the catalogue with one instrument.
var all = Catalogue([]string{"log"})

// TestCatalogueIsWhatTheCodeSays finds every Reached("…") of the tree. A name that is put
// together is held against the catalogue where it is made; here its constant beginning has to
// be one of a name's.
func TestCatalogueIsWhatTheCodeSays(t *testing.T) {
	used, begun := calls(t)
	for name, place := range used {
		if !slices.Contains(all, name) {
			t.Errorf("%s: %q is not in the catalogue", place, name)
		}
	}
	for _, name := range all {
		if _, ok := used[name]; !ok && !slices.ContainsFunc(begun, func(b string) bool {
			return strings.HasPrefix(name, b)
		}) {
			t.Errorf("nothing reaches %q", name)
		}
	}
}

func calls(t *testing.T) (used map[string]string, begun []string) {
	t.Helper()
	used, begun = map[string]string{}, []string{"kill "}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "testdata" || d.Name() == "out" ||
			strings.HasPrefix(d.Name(), ".") && path != root) {
			return fs.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // the compiler says it better
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || fun.Sel.Name != "Reached" {
				return true
			}
			if of, ok := fun.X.(*ast.Ident); !ok || of.Name != "sometimes" {
				return true // a stopwatch has a method of that name
			}
			if name, ok := literal(call.Args[0]); ok {
				used[name] = set.Position(call.Pos()).String()
			} else if beginning, ok := literal(leftmost(call.Args[0])); ok {
				begun = append(begun, beginning)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return used, begun
}

// leftmost is the first summand.
func leftmost(e ast.Expr) ast.Expr {
	for {
		sum, ok := e.(*ast.BinaryExpr)
		if !ok {
			return e
		}
		e = sum.X
	}
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// TestReached lets two processes write to one file, and reads it.
func TestReached(t *testing.T) {
	if os.Getenv(Variable) != "" && os.Getenv("SOMETIMES_CHILD") != "" {
		Reached("verdict verified")
		Reached("verdict verified")
		return
	}
	path := filepath.Join(t.TempDir(), "reached")
	for range 2 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestReached$")
		cmd.Env = append(os.Environ(), Variable+"="+path, "SOMETIMES_CHILD=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counts, unknown, err := Read(strings.NewReader(string(data)+"no such case\n"), all)
	if err != nil || counts["verdict verified"] != 2 || !slices.Equal(unknown, []string{"no such case"}) {
		t.Errorf("%v, %q, %v", counts, unknown, err)
	}
	if missing := Missing(all, counts); len(missing) != len(all)-1 || slices.Contains(missing, "verdict verified") {
		t.Errorf("%d of %d are missing", len(missing), len(all))
	}
}
