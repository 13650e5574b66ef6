// Package site writes all that there is to read as a folder of pages: the lessons, the runs that
// were recorded, the commands, the schemas of what they write, and the glossary. The pages need no
// server and no script, ask nothing of any network, and link only to each other and, in the
// glossary, to Envoy's documentation.
package site

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/glossary"
	"github.com/flowproof/lab/harness/page"
	"github.com/flowproof/lab/internal/screen"
)

// A Site is what is written.
type Site struct {
	Version  string // of the command that writes it
	Lessons  []Lesson
	Runs     []Run
	Commands []Command // the first is the program itself
	Schemas  []Schema
	Articles []Article
}

// A Run is one recorded run: its page, and the page of what was inferred before it was sent.
type Run struct {
	Name     string // of its files
	Title    string
	Verdict  string // in words
	Page     *page.Page
	Inferred *page.Page
}

// A Schema is a JSON Schema of one of the forms of -o json.
type Schema struct {
	Name string // of its file
	Text []byte
}

// An Article is a page that is written elsewhere: what stands in it, as HTML without head and body.
type Article struct {
	Name, Title string
	Body        string // safe HTML
	Style       string // CSS of its own
}

// marker says that a folder was written by this package, so that it may be written again.
const marker = ".flowproof-site"

// ErrInUse says that a folder holds something else, which is not to be written over.
var ErrInUse = errors.New("the folder holds something else")

// Write writes the site into a folder, which is made where it is not there. A site that was
// written there before is replaced; a folder that holds anything else is left alone. What is in a
// name or a value of a run commands no terminal that a page is shown on, and turns no line of it.
func (s *Site) Write(dir string) error {
	files, err := s.Files()
	if err != nil {
		return err
	}
	if err := clear(dir); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, []byte(screen.Visible(string(files[name]))), 0o644)
		}
		if err != nil {
			return fmt.Errorf("write site: %w", err)
		}
	}
	return nil
}

// clear takes the files of a site that was written before out of its folder.
func clear(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("write site: %w", err)
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Lstat(filepath.Join(dir, marker)); err != nil {
		return fmt.Errorf("write site into %s: %w (name a new folder)", dir, ErrInUse)
	}
	for _, sub := range append(slices.Clone(folders), "") {
		pages, err := filepath.Glob(filepath.Join(dir, sub, "*.html"))
		if err != nil {
			return fmt.Errorf("write site: %w", err)
		}
		for _, file := range pages {
			if err := os.Remove(file); err != nil {
				return fmt.Errorf("write site: %w", err)
			}
		}
	}
	return nil
}

// The folders of a site.
const (
	lessonDir  = "lessons"
	runDir     = "runs"
	commandDir = "commands"
	schemaDir  = "schema"
	articleDir = "articles"
)

var folders = []string{lessonDir, runDir, commandDir, schemaDir, articleDir}

// Files are the site's files by their paths, with / between folders.
func (s *Site) Files() (map[string][]byte, error) {
	out := writer{site: s, files: map[string][]byte{marker: []byte(s.Version + "\n")}}
	out.write("index.html", "index", "", s)
	for _, l := range s.Lessons {
		out.lesson(l)
	}
	for _, r := range s.Runs {
		out.run(r)
	}
	for _, c := range s.Commands {
		out.write(commandDir+"/"+c.File(), "command", c.Path, c)
	}
	for _, schema := range s.Schemas {
		out.files[schemaDir+"/"+schema.Name] = schema.Text
	}
	if len(s.Schemas) > 0 {
		out.write(schemaDir+"/index.html", "schemas", "Schemas", s.schemas())
	}
	for _, language := range glossary.Languages {
		out.write(wordFile(language), "glossary", "Glossary", s.words(language))
	}
	for _, a := range s.Articles {
		out.write(articleDir+"/"+a.Name+".html", "article", a.Title, a)
	}
	return out.files, out.err
}

// A writer makes the files of one site. After the first error it writes no more.
type writer struct {
	site  *Site
	files map[string][]byte
	err   error
}

// put keeps a page that writes itself.
func (w *writer) put(name string, write func(io.Writer) error) {
	if w.err != nil {
		return
	}
	var text bytes.Buffer
	if err := write(&text); err != nil {
		w.err = fmt.Errorf("write %s: %w", name, err)
		return
	}
	if w.files[name] != nil {
		w.err = fmt.Errorf("write %s: two pages have the name", name)
		return
	}
	w.files[name] = text.Bytes()
}

// write keeps a page that one of this package's templates makes.
func (w *writer) write(name, template, title string, data any) {
	w.put(name, func(out io.Writer) error {
		return templates().ExecuteTemplate(out, template, frame{Site: w.site, Name: name, Title: title, Data: data})
	})
}

// run keeps the pages of one run.
func (w *writer) run(r Run) {
	home := []page.Link{{To: "../index.html", Text: "All pages"}}
	lesson := ""
	for _, l := range w.site.Lessons {
		if l.Run == r.Name {
			lesson = "../" + lessonDir + "/" + l.Lesson.Name + ".html"
		}
	}
	links := slices.Clone(home)
	if lesson != "" {
		links = append(links, page.Link{To: lesson, Text: "The lesson"})
	}
	if r.Inferred != nil {
		links = append(links, page.Link{To: r.Name + ".inferred.html", Text: "Before it was sent"})
		inferred := *r.Inferred
		inferred.Term = hop(glossary.English)
		inferred.Links = append(slices.Clone(home), page.Link{To: r.Name + ".html", Text: "What was seen"})
		w.put(runDir+"/"+r.Name+".inferred.html", inferred.Write)
	}
	shown := *r.Page
	shown.Links, shown.Term = links, hop(glossary.English)
	w.put(runDir+"/"+r.Name+".html", shown.Write)
}

// up is the way from a page to the site's root: "", or "../" for one in a folder.
func up(name string) string { return strings.Repeat("../", strings.Count(path.Clean(name), "/")) }
