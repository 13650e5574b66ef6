package site

import (
	"embed"
	"html/template"
	"sync"

	"github.com/flowproof/lab/harness/glossary"
	"github.com/flowproof/lab/harness/page"
)

//go:embed *.html
var files embed.FS

//go:embed site.css
var style string

var templates = sync.OnceValue(func() *template.Template {
	safe := func(s string) template.HTML { return template.HTML(s) }
	return template.Must(page.NewTemplate("site").Funcs(template.FuncMap{"prose": prose, "safe": safe}).
		ParseFS(files, "*.html"))
})

// A frame is what every page of this package's templates has around it.
type frame struct {
	Site        *Site
	Name, Title string
	Data        any
}

// Up leads to the site's root.
func (f frame) Up() string { return up(f.Name) }

// Language is the page's.
func (f frame) Language() string {
	if words, ok := f.Data.(wordPage); ok {
		return words.Language
	}
	return glossary.English
}

// Style is the page's CSS.
func (f frame) Style() template.CSS {
	own := ""
	if a, ok := f.Data.(Article); ok {
		own = a.Style
	}
	return template.CSS(page.BaseStyle + style + own)
}
