package schema

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// module is the path that the packages of the project begin with.
const module = "github.com/flowproof/lab"

// root is the project's folder, from the folder of a test two floors below it.
const root = "../.."

// A source knows the comments and constants of the project's packages.
type source struct {
	types  map[string]string // comment by package and type
	fields map[string]string // comment by package, type and field
	consts map[string][]any  // values by package and type
	read   map[string]bool
}

func newSource() *source {
	return &source{types: map[string]string{}, fields: map[string]string{}, consts: map[string][]any{},
		read: map[string]bool{}}
}

// of reads the package of a type, once, and returns the type's name with its package.
func (s *source) of(t reflect.Type) string {
	path := t.PkgPath()
	key := path + "." + t.Name()
	if path == "main" {
		path = module + "/cmd/lab"
	}
	folder, ours := strings.CutPrefix(path, module)
	if !ours || s.read[path] {
		return key
	}
	s.read[path] = true
	files, _ := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*.go"))
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil || strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				s.declared(t.PkgPath(), g)
			}
		}
	}
	return key
}

func (s *source) declared(path string, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			key := path + "." + spec.Name.Name
			s.types[key] = sentence(spec.Doc, g.Doc)
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, name := range f.Names {
						s.fields[key+"."+name.Name] = sentence(f.Doc, f.Comment)
					}
				}
			}
		case *ast.ValueSpec:
			kind, ok := spec.Type.(*ast.Ident)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, _ := strconv.Unquote(lit.Value)
					s.consts[path+"."+kind.Name] = append(s.consts[path+"."+kind.Name], text)
				}
			}
		}
	}
}

// sentence is the first comment that is there, in one line.
func sentence(all ...*ast.CommentGroup) string {
	for _, c := range all {
		if text := strings.Join(strings.Fields(c.Text()), " "); text != "" {
			return text
		}
	}
	return ""
}

func (s *source) ofType(t reflect.Type) string { return s.types[s.of(t)] }

func (s *source) ofField(t reflect.Type, field string) string { return s.fields[s.of(t)+"."+field] }

// values are the constants of a type of strings; nil where it has none.
func (s *source) values(t reflect.Type) []any { return s.consts[s.of(t)] }
