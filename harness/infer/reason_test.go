package infer

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestReasons holds that every code that is declared has a row in one of the catalogues, with a
// meaning, once; and that no code is written as a text beside them.
func TestReasons(t *testing.T) {
	rows := map[string]int{}
	for _, r := range append(append([]flow.ReasonRow{}, flow.Reasons...), flow.Assumptions...) {
		rows[string(r.Code)]++
		if r.Meaning == "" || rows[string(r.Code)] > 1 {
			t.Errorf("code %s: has no meaning, or stands twice", r.Code)
		}
	}
	declared := map[string]bool{}
	eachFile(t, "../flow", func(name string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && identOf(v.Type) == "Reason" {
				for _, value := range v.Values {
					declared[textOf(value)] = true
				}
			}
			return true
		})
	})
	for code := range declared {
		if rows[code] == 0 {
			t.Errorf("code %s has no row", code)
		}
	}
	for code := range rows {
		if !declared[code] {
			t.Errorf("row %s is of no code", code)
		}
	}
	eachFile(t, ".", func(name string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok && (identOf(kv.Key) == "Reason" || identOf(kv.Key) == "Code") &&
				textOf(kv.Value) != "" {
				t.Errorf("%s: code %s is written as a text: declare it in flow", name, textOf(kv.Value))
			}
			return true
		})
	})
}

func eachFile(t *testing.T, root string, do func(name string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			do(path, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func identOf(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func textOf(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s, _ := strconv.Unquote(lit.Value)
		return s
	}
	return ""
}
