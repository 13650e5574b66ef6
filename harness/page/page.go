// Package page writes a result as one HTML file that a browser shows without a script and without
// asking for anything: a drawing of the way, and for each hop what was inferred, from which field,
// what lost, and who saw it. The drawing alone is an SVG picture. It decides nothing. The same
// result gives the same bytes.
//
// What it is given is shown as it is: who calls it takes secrets out first. Only what it takes out
// of config dumps it redacts itself.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
)

// A Page is what a page shows. Only Path is needed; what is not given is not shown.
type Page struct {
	Title    string
	Path     flow.Path
	Ending   string // how the request ends, in words
	Answer   string // what the client was told, in words
	Run      *flow.Run
	Verdict  *flow.RunVerdict
	Summary  string   // of the verdict, in words
	Possible []string // other endings that are possible, in words
	// Dumps are config dumps by the proxy that they are of, "pod.namespace".
	// Excerpts come from them.
	Dumps map[string]*configdump.Dump
	// Links lead from the top of the page to others that it stands beside.
	Links []Link
	// Term is where the page leads for a kind of hop; nil: nowhere.
	Term func(flow.HopKind) string
	// Recording is the raw evidence: its events and its log are shown as a timeline.
	Recording *observe.Recording
}

// A Link leads to another page: where to, and by which words.
type Link struct{ To, Text string }

//go:embed head.html
var head string

// NewTemplate is an empty template in which "meta" is what stands in the head of every page of the
// project: a browser may load nothing for it.
func NewTemplate(name string) *template.Template {
	return template.Must(template.New(name).Parse(head))
}

//go:embed page.html
var pageText string

// BaseStyle is what all pages of the project have in common: their colours, light, dark and
// printed, and their letters.
//
//go:embed base.css
var BaseStyle string

//go:embed page.css
var pageStyle string

// DrawingStyle is the style of drawings.
//
//go:embed drawing.css
var DrawingStyle string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(NewTemplate("page").Parse(pageText))
})

// Write writes the page.
func (p *Page) Write(w io.Writer) error {
	v, err := p.view()
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	if err := pageTemplate().Execute(w, v); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// WritePicture writes the drawing alone, as an SVG picture with the lanes beside each other.
func (p *Page) WritePicture(w io.Writer) error {
	if _, err := io.WriteString(w, picture(p.lanes(), p.Title)); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

// view is what the template is filled with.
type view struct {
	Title, Ending, Summary, Answer string
	Result                         string
	Style                          template.CSS
	Lanes                          []template.HTML
	Cards                          []card
	Legend                         []legendRow
	Problems, Without              []string
	Open                           []flow.Dependency
	Links                          []Link
	Possible                       []string
	Judged                         bool
	Sections                       []section
}

// A section is a part of the page below the cards.
type section struct {
	ID, Title string
	Short     string // what a link to it says
	Text      string // one paragraph
	Body      template.HTML
}

func (p *Page) view() (*view, error) {
	v := &view{Title: p.Title, Ending: p.Ending, Summary: p.Summary, Answer: p.Answer, Links: p.Links,
		Style: template.CSS(BaseStyle + pageStyle + DrawingStyle)}
	for _, l := range p.lanes() {
		v.Lanes = append(v.Lanes, template.HTML(l.svg(true)))
	}
	v.Cards = p.cards()
	v.Open, v.Possible = p.Path.Depends, p.Possible
	if s := p.waterfall(); s != nil {
		v.Sections = append(v.Sections, *s)
	}
	if s := p.logs(); s != nil {
		v.Sections = append(v.Sections, *s)
	}
	if p.Verdict != nil {
		v.Judged, v.Result = true, string(p.Verdict.Result)
		v.Problems, v.Without = p.Verdict.Problems, p.Verdict.Without
		v.Legend = p.legend()
	}
	return v, nil
}
