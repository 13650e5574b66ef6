package glossary

import (
	"cmp"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// English is the language that every entry has.
const English = "en"

// Languages are the codes of the languages that there are.
var Languages = []string{English, "zh"}

// texts are the entries, a folder for each language and in it a file for each kind.
//
//go:embed texts
var texts embed.FS

// files are where the entries of each kind stand.
var files = map[Kind]string{
	Flag:       "flags",
	Details:    "details",
	Hop:        "hops",
	Instrument: "instruments",
	Verdict:    "verdicts",
	Fact:       "facts",
	Reason:     "reasons",
	Term:       "terms",
}

// An item is an entry as its file has it, by its name. Another language has its own words and, of
// what English has, the rest.
type item struct {
	Also    []string `json:"also"`
	Forms   string   `json:"forms"`
	Is      string   `json:"is"`
	Dump    string   `json:"dump"`
	Envoy   string   `json:"envoy"`
	Lessons []string `json:"lessons"`
	Causes  []Cause  `json:"causes"`
	See     []string `json:"see"`
}

// A language is the glossary in one language.
type language struct {
	entries []Entry
	byWord  map[string][]Entry
}

var english = sync.OnceValue(func() language { return index(readAll()) })

var others = map[string]func() language{"zh": sync.OnceValue(func() language { return index(translate("zh")) })}

// in returns the glossary in a language.
func in(name string) language {
	if other, ok := others[name]; ok {
		return other()
	}
	return english()
}

// index finds entries by their words.
func index(entries []Entry) language {
	l := language{entries: entries, byWord: map[string][]Entry{}}
	for _, e := range entries {
		words := map[string]bool{}
		for _, w := range append([]string{e.Name, e.Long}, e.Also...) {
			if w != "" {
				words[plain(w)] = true
			}
		}
		for w := range words {
			l.byWord[w] = append(l.byWord[w], e)
		}
	}
	return l
}

// read reads one file of a language. The texts are part of the program, so one that cannot be read
// is a fault of the program.
func read(language string, kind Kind) map[string]item {
	items := map[string]item{}
	text, err := texts.ReadFile("texts/" + language + "/" + files[kind] + ".yaml")
	if err == nil {
		err = yaml.UnmarshalStrict(text, &items)
	}
	if err != nil {
		panic(fmt.Sprintf("glossary: %s in %s: %v", files[kind], language, err))
	}
	if kind == Instrument {
		described(items, language, observe.Instruments())
	}
	return items
}

// described adds the instruments that say themselves what they are, and that no file has.
func described(items map[string]item, language string, all []observe.Instrument) {
	for _, i := range all {
		name := string(i.Name())
		if d, says := i.(instrument.Described); says && items[name].Is == "" {
			items[name] = item{Is: d.Is(language)}
		}
	}
}

// readAll returns the entries in English. The meanings of flags and of reasons are those of package
// flow.
func readAll() []Entry {
	var all []Entry
	for _, kind := range kinds {
		if kind == Reason {
			for _, r := range append(slices.Clone(flow.Reasons), flow.Assumptions...) {
				all = append(all, Entry{Name: string(r.Code), Kind: Reason, Is: sentence(r.Meaning)})
			}
			continue
		}
		items := read(English, kind)
		for _, name := range slices.Sorted(maps.Keys(items)) {
			i := items[name]
			e := Entry{
				Name:    name,
				Kind:    kind,
				Also:    i.Also,
				Forms:   i.Forms,
				Is:      i.Is,
				Dump:    i.Dump,
				Page:    page(kind, i.Envoy),
				Lessons: i.Lessons,
				Causes:  i.Causes,
				See:     i.See,
			}
			if row := slices.IndexFunc(flow.Flags, func(r flow.FlagRow) bool {
				return kind == Flag && r.Flag == name
			}); row >= 0 {
				e.Long, e.Is = flow.Flags[row].Long, sentence(flow.Flags[row].Meaning)
			}
			all = append(all, e)
		}
	}
	return all
}

// page is the URL of a page of Envoy's documentation. Flags and details have one page each.
func page(kind Kind, path string) string {
	switch {
	case kind == Flag:
		path = "configuration/observability/access_log/usage"
	case kind == Details:
		path = "configuration/http/http_conn_man/response_code_details"
	case path == "":
		return ""
	}
	return pages + path
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

// translate returns the entries with another language's words. What that language does not have
// stays English.
func translate(to string) []Entry {
	all := slices.Clone(english().entries)
	words := map[Kind]map[string]item{}
	for _, kind := range kinds {
		words[kind] = read(to, kind)
	}
	for n, e := range all {
		w, ok := words[e.Kind][e.Name]
		if !ok {
			continue
		}
		all[n].Is, all[n].Dump = cmp.Or(w.Is, e.Is), cmp.Or(w.Dump, e.Dump)
		all[n].Also = append(slices.Clone(e.Also), w.Also...)
		all[n].Causes = slices.Clone(e.Causes)
		for i := range min(len(w.Causes), len(e.Causes)) {
			all[n].Causes[i].Text = w.Causes[i].Text
		}
	}
	return all
}
