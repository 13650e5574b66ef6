// Package house holds rules that the whole tree keeps.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// A unit is what a rule looks at: one Go package's files.
type unit struct {
	fuzz    []string // fuzz targets
	parsers []string // functions that read text or bytes from outside
}

// reads are the names of functions that take foreign text apart.
var reads = regexp.MustCompile(`^(Parse|parse|Decode|decode)([A-Z]\w*)?$`)

// trusted are packages whose parsers read only what this program, or the person who works on it,
// has written, and those that a fuzz target of another package calls.
var trusted = map[string]string{
	"hack/bench/trace": "it reads what the load generator that it has started itself prints",
}

// TestParsersAreFuzzed wants a fuzz target in every package that parses, and a committed corpus for
// every target: what a search has found is lost otherwise.
func TestParsersAreFuzzed(t *testing.T) {
	for dir, u := range units(t) {
		if why, excused := trusted[dir]; len(u.parsers) > 0 && len(u.fuzz) == 0 && !excused {
			t.Errorf("%s has %s and no fuzz target", dir, strings.Join(u.parsers, ", "))
		} else if excused && (len(u.parsers) == 0 || len(u.fuzz) > 0) {
			t.Errorf("%s is no exception any more (%s): take it off the list", dir, why)
		}
		for _, target := range u.fuzz {
			corpus, _ := filepath.Glob(filepath.Join(root, dir, "testdata", "fuzz", target, "*"))
			if len(corpus) == 0 {
				t.Errorf("%s: %s has no corpus in testdata/fuzz", dir, target)
			}
		}
	}
}

// units reads every package of the tree.
func units(t *testing.T) map[string]*unit {
	t.Helper()
	all := map[string]*unit{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root &&
			(slices.Contains([]string{"testdata", "out", "bin", "toolchain"}, d.Name()) ||
				strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		if all[dir] == nil {
			all[dir] = &unit{}
		}
		return all[dir].add(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (u *unit) add(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		switch {
		case !ok || f.Recv != nil:
		case strings.HasSuffix(path, "_test.go"):
			if strings.HasPrefix(f.Name.Name, "Fuzz") {
				u.fuzz = append(u.fuzz, f.Name.Name)
			}
		case reads.MatchString(f.Name.Name) && takesText(f):
			u.parsers = append(u.parsers, f.Name.Name)
		}
	}
	return nil
}

// takesText says whether a parameter is a string, bytes or a reader.
func takesText(f *ast.FuncDecl) bool {
	for _, p := range f.Type.Params.List {
		switch kind := p.Type.(type) {
		case *ast.Ident:
			if kind.Name == "string" {
				return true
			}
		case *ast.ArrayType:
			if of, ok := kind.Elt.(*ast.Ident); ok && of.Name == "byte" {
				return true
			}
		case *ast.SelectorExpr:
			if kind.Sel.Name == "Reader" {
				return true
			}
		}
	}
	return false
}
