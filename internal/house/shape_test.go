package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What one package, file and function may come to, without tests.
const (
	maxFiles         = 45
	maxLines         = 6000
	maxFunctionLines = 60
)

// floors are the packages of the way of a request, from the ground up: one imports those of
// floors below it, and none of its own floor or above. A package belongs to the longest
// prefix that names it.
var floors = []struct {
	name     string
	packages []string
}{
	{"words", []string{"harness/flow", "harness/fault"}},
	{"what is no promise", []string{"internal"}},
	{"pods' rules", []string{"harness/netfilter"}},
	{"the dump", []string{"harness/configdump"}},
	{"inference", []string{"harness/infer"}},
	{"instruments", []string{"harness/observe"}},
	{"verdicts", []string{"harness/verify"}},
	{"kept runs", []string{"harness/bundle"}},
	{"clusters", []string{"harness/mesh", "harness/cluster"}},
	{"one request", []string{"harness/run"}},
	{"the scenario language", []string{"harness/script"}},
	{"lessons", []string{"harness/walk"}},
	{"the command", []string{"cmd"}},
}

// phases are the floors within inference.
var phases = []string{"say", "match", "filters", "expr", "certainty", "proxy", "passage", "matcher", "rbac",
	"connection", "hcm", "upstream", ""}

// A source is a Go file that is no test.
type source struct {
	dir, file string
	lines     int
	imports   []string // of this module, without its name
	functions map[string]int
}

// TestShape holds the bounds of packages and functions.
func TestShape(t *testing.T) {
	files, lines := map[string]int{}, map[string]int{}
	for _, s := range sources(t) {
		files[s.dir]++
		lines[s.dir] += s.lines
		for name, n := range s.functions {
			if n > maxFunctionLines {
				t.Errorf("%s/%s: function %s has %d lines, and %d is the bound", s.dir, s.file, name, n,
					maxFunctionLines)
			}
		}
	}
	for dir, n := range files {
		if n > maxFiles || lines[dir] > maxLines {
			t.Errorf("%s has %d files and %d lines: split it (%d and %d are the bound)", dir, n,
				lines[dir], maxFiles, maxLines)
		}
	}
}

// TestNoArrowRunsBackUp holds the order of the packages.
func TestNoArrowRunsBackUp(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasSuffix(s.dir, "test") { // support for tests
			continue
		}
		for _, imported := range s.imports {
			from, to := floorOf(s.dir), floorOf(imported)
			if from >= 0 && to > from {
				t.Errorf("%s/%s, of %s, imports %s, of %s above it", s.dir, s.file, floors[from].name, imported,
					floors[to].name)
			}
			if strings.HasPrefix(s.dir, "harness/observe") && strings.HasPrefix(imported, "harness/infer") {
				t.Errorf("%s/%s imports %s: instruments and inference share nothing that decides", s.dir,
					s.file, imported)
			}
			from, to = phaseOf(s.dir), phaseOf(imported)
			if from >= 0 && to >= from && s.dir != imported {
				t.Errorf("%s/%s imports %s, which is not below it", s.dir, s.file, imported)
			}
		}
	}
}

func floorOf(dir string) int {
	return slices.IndexFunc(floors, func(f struct {
		name     string
		packages []string
	}) bool {
		return slices.ContainsFunc(f.packages, func(p string) bool { return dir == p || strings.HasPrefix(dir, p+"/") })
	})
}

func phaseOf(dir string) int {
	rest, ok := strings.CutPrefix(dir, "harness/infer")
	if !ok {
		return -1
	}
	return slices.Index(phases, strings.TrimPrefix(rest, "/"))
}

// sources reads every Go file of the module that is no test and was not generated.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && (slices.Contains([]string{"testdata", "out", "bin", "toolchain"}, d.Name()) ||
			strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		s, err := sourceOf(name)
		if s != nil {
			all = append(all, *s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sourceOf(name string) (*source, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(file) {
		return nil, err
	}
	dir, err := filepath.Rel(root, filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	s := &source{dir: filepath.ToSlash(dir), file: filepath.Base(name), functions: map[string]int{},
		lines: set.File(file.Pos()).LineCount()}
	for _, i := range file.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		if own, ok := strings.CutPrefix(imported, "github.com/flowproof/lab/"); ok {
			s.imports = append(s.imports, path.Clean(own))
		}
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			s.functions[receiver(f)+f.Name.Name] = set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1
		}
	}
	return s, nil
}

// receiver is the type of a method and a point; "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	var b bytes.Buffer
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && b.Len() == 0 {
			fmt.Fprintf(&b, "%s.", id.Name)
		}
		return true
	})
	return b.String()
}
