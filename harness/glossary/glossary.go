// Package glossary says what the words of a report mean: each hop, instrument, fact, response flag,
// details string, reason code and verdict, and the terms of Istio and Envoy beside them. It is
// data, texts/LANGUAGE/*.yaml, and a lookup. English is the language that everything is written in;
// another language's file has the words of the same entries.
package glossary

import (
	"cmp"
	"slices"
	"strings"

	"github.com/flowproof/lab/internal/near"
)

// A Kind says what sort of word an entry is of.
type Kind string

// The kinds, in the order in which entries of one name are told.
const (
	Flag       Kind = "flag"       // response flag of Envoy's access log
	Details    Kind = "details"    // response code details of Envoy's access log
	Hop        Kind = "hop"        // of a way
	Instrument Kind = "instrument" // that observes
	Verdict    Kind = "verdict"    // word of a verdict, of an outcome, or of a certainty
	Fact       Kind = "fact"       // that instruments see
	Reason     Kind = "reason"     // code of a decision or an assumption
	Term       Kind = "term"       // of Istio, Envoy or the kernel
)

var kinds = []Kind{Flag, Details, Hop, Instrument, Verdict, Fact, Reason, Term}

// An Entry is what one word means.
type Entry struct {
	Name    string   `json:"name"`
	Kind    Kind     `json:"kind"`
	Long    string   `json:"long,omitempty"`    // of a flag: its name in %RESPONSE_FLAGS_LONG%
	Also    []string `json:"also,omitempty"`    // other words for the same
	Forms   string   `json:"forms,omitempty"`   // of details: the whole string, with what varies in capitals
	Is      string   `json:"is"`                // what it is
	Dump    string   `json:"dump,omitempty"`    // where it stands in a config dump
	Page    string   `json:"page,omitempty"`    // Envoy's page about it: a URL
	Lessons []string `json:"lessons,omitempty"` // that show it
	Causes  []Cause  `json:"causes,omitempty"`  // of a flag or details: what makes Envoy write it
	See     []string `json:"see,omitempty"`     // other entries
}

// A Cause is one thing that makes Envoy write a flag or details.
type Cause struct {
	// client: in the log of the sidecar that sends; server: of the one that receives; "": either
	Side  string `json:"side,omitempty"`
	Text  string `json:"text"`
	Check string `json:"check,omitempty"` // which part of a dump shows it; package explain has the checks by name
}

// pages is where Envoy's documentation is.
const pages = "https://www.envoyproxy.io/docs/envoy/latest/"

// All returns every entry in a language, by kind and name. A language without texts gives English.
func All(language string) []Entry { return slices.Clone(in(language).entries) }

// Find returns the entries of a word, which may stand in any case and with blanks, dots, hyphens or
// underscores between its parts. What an access log adds to details, in brackets, braces or
// parentheses, is taken off. Several kinds may have a word.
func Find(word, language string) []Entry {
	found := in(language).byWord[plain(word)]
	if len(found) == 0 {
		found = in(language).byWord[plain(Base(word))]
	}
	return slices.Clone(found)
}

// Of returns the entry of a kind by its exact name.
func Of(kind Kind, name, language string) (Entry, bool) {
	entries := in(language).entries
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Kind == kind && e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

// Near returns up to most names that resemble a word, the nearest first.
func Near(word string, most int) []string {
	type candidate struct {
		name     string
		distance int
	}
	word = plain(word)
	var all []candidate
	for _, e := range in(English).entries {
		for _, name := range append([]string{e.Name}, e.Also...) {
			d := near.Distance(word, plain(name))
			if len(word) > 2 && strings.Contains(plain(name), word) {
				d = min(d, 1)
			}
			if d <= max(1, len(word)/3) {
				all = append(all, candidate{e.Name, d})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, c := range all {
		if !slices.Contains(names, c.name) && len(names) < most {
			names = append(names, c.name)
		}
	}
	return names
}

// Base is a details string without what it has in brackets, braces or parentheses at its end.
func Base(details string) string {
	if i := strings.IndexAny(details, "[{("); i > 0 {
		return strings.TrimSpace(details[:i])
	}
	return details
}

// Inside returns the parts of what a details string has in brackets, braces or parentheses, which a
// bar separates.
func Inside(details string) []string {
	i := strings.IndexAny(details, "[{(")
	if i <= 0 {
		return nil
	}
	closing := map[byte]string{'[': "]", '{': "}", '(': ")"}[details[i]]
	inside := strings.TrimSuffix(details[i+1:], closing)
	if inside == "" {
		return nil
	}
	return strings.Split(inside, "|")
}

// plain is a word without case and with one sign for all that stands between its parts.
func plain(word string) string {
	word = strings.ToLower(strings.TrimSpace(word))
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" _-", r) {
			return '-'
		}
		return r
	}, word)
}
