package site

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"html/template"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// A Command is a command of the program, as its help says it.
type Command struct {
	Path    string // lab run
	Use     string // the line of its usage
	Short   string
	Long    string
	Example string
	Flags   []Flag
	Verbs   []string // paths of the commands below it
}

// A Flag is a flag of a command.
type Flag struct {
	Name, Short, Value, Default, Usage string
	Inherited                          bool // every command has it
}

// File is the name of the command's page.
func (c Command) File() string { return strings.ReplaceAll(c.Path, " ", "-") + ".html" }

// Page is the name of the page of another command.
func (Command) Page(path string) string { return Command{Path: path}.File() }

// A wordPage is the glossary in one language, an entry a word.
type wordPage struct {
	site     *Site
	Language string
	Kinds    []wordKind
}

type wordKind struct {
	Kind    glossary.Kind
	Entries []glossary.Entry
}

// words are the glossary's entries in a language, by their kinds.
func (s *Site) words(language string) wordPage {
	out := wordPage{site: s, Language: language}
	for _, e := range glossary.All(language) {
		if n := len(out.Kinds); n == 0 || out.Kinds[n-1].Kind != e.Kind {
			out.Kinds = append(out.Kinds, wordKind{Kind: e.Kind})
		}
		last := &out.Kinds[len(out.Kinds)-1]
		last.Entries = append(last.Entries, e)
	}
	return out
}

// Anchor is the id of an entry on its page.
func (wordPage) Anchor(e glossary.Entry) string { return anchor(string(e.Kind), e.Name) }

// See is the id of the first entry of a word; "" where there is none.
func (p wordPage) See(word string) string {
	found := glossary.Find(word, p.Language)
	if len(found) == 0 {
		return ""
	}
	return p.Anchor(found[0])
}

// Lesson is where the page of a lesson is, in the language where the lesson has it; "" where the
// site has no such lesson.
func (p wordPage) Lesson(name string) string {
	for _, l := range p.site.Lessons {
		if l.Name != name {
			continue
		}
		if slices.Contains(l.Tongues(), p.Language) {
			return lessonDir + "/" + l.File(p.Language)
		}
		return lessonDir + "/" + l.File(glossary.English)
	}
	return ""
}

// wordFile is the name of the glossary's page in a language.
func wordFile(language string) string {
	if language == glossary.English {
		return "glossary.html"
	}
	return "glossary." + language + ".html"
}

// notAnchor is what an anchor has none of.
var notAnchor = lazyregexp.New(`[^A-Za-z0-9_.]+`)

// anchor is the id of an entry: flags and terms differ by the case of their letters, so it stays.
func anchor(kind, name string) string {
	return kind + "-" + strings.Trim(notAnchor.ReplaceAllString(name, "-"), "-")
}

// hop is where the glossary says in a language what a kind of hop is, from a page in a folder;
// "" where it does not.
func hop(language string) func(flow.HopKind) string {
	return func(kind flow.HopKind) string {
		if _, ok := glossary.Of(glossary.Hop, string(kind), language); !ok {
			return ""
		}
		return "../" + wordFile(language) + "#" + anchor(string(glossary.Hop), string(kind))
	}
}

// schemaEntry is a schema as the list shows it.
type schemaEntry struct {
	File, Title, Description string
	Fields                   []schemaField
}

type schemaField struct{ Name, Type, Description string }

// schemas are the schemas in short: their titles and the fields of their first level. One that is
// no JSON Schema is listed by its name alone (https://json-schema.org/draft/2020-12).
func (s *Site) schemas() []schemaEntry {
	var all []schemaEntry
	for _, schema := range s.Schemas {
		entry := schemaEntry{File: schema.Name, Title: schema.Name}
		var document struct {
			Title, Description string
			Properties         map[string]struct {
				Type        any
				Const       any
				Description string
				Ref         string `json:"$ref"`
			}
		}
		decoder := json.NewDecoder(bytes.NewReader(schema.Text))
		if decoder.Decode(&document) == nil {
			entry.Title, entry.Description = cmp.Or(document.Title, schema.Name), document.Description
			for _, name := range fieldsOf(schema.Text) {
				p := document.Properties[name]
				kind, _ := p.Type.(string)
				if text, ok := p.Const.(string); ok {
					kind = text
				}
				entry.Fields = append(
					entry.Fields,
					schemaField{name, cmp.Or(kind, strings.TrimPrefix(p.Ref, "#/$defs/")), p.Description},
				)
			}
		}
		all = append(all, entry)
	}
	return all
}

// fieldsOf are the names of a schema's properties in their order in its text.
func fieldsOf(text []byte) []string {
	var shell struct{ Properties json.RawMessage }
	if json.Unmarshal(text, &shell) != nil || len(shell.Properties) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(shell.Properties))
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	var names []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return names
		}
		names = append(names, name.(string))
		var skipped json.RawMessage
		if decoder.Decode(&skipped) != nil {
			return names
		}
	}
	return names
}

// quoted is a command in a text.
var quoted = lazyregexp.New("`([^`\n]+)`")

// prose makes HTML of a help text: an empty line ends a paragraph, lines that are indented stay as
// they are, and what stands in backticks is code.
func prose(text string) template.HTML {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		safe := html.EscapeString(block)
		if strings.HasPrefix(block, "  ") {
			out.WriteString("<pre tabindex=\"0\">" + safe + "</pre>")
			continue
		}
		out.WriteString(
			"<p>" + quoted.ReplaceAllString(strings.ReplaceAll(safe, "\n", " "), "<code>$1</code>") + "</p>",
		)
	}
	return template.HTML(out.String())
}
