package lesson

import (
	"embed"
	"regexp"
	"slices"
	"strings"
)

// reasons are the forms of the reasons that inference gives, one file a language, with its words
// for each. A form is known by its English: "needs {what}, the connection has {has}".
//
//go:embed reasons/*.txt
var reasons embed.FS

// A form is one form of a reason: what it looks like in English, and its words in another language.
type form struct {
	english *regexp.Regexp
	names   []string // of its values, in the order of the English; one that ends in a comma is a list
	words   string
}

// between stands between the parts of a reason, which inference gives one after the other.
const between = "; "

// value is a value within a form.
var value = regexp.MustCompile(`\{(\w+,?)\}`)

// parseForms reads pairs of lines: the English of a form, and "= " with its words.
func parseForms(text string) []form {
	var all []form
	english := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		words, isWords := strings.CutPrefix(line, "= ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case isWords && english != "":
			all = append(all, newForm(english, words))
			english = ""
		default:
			english = line
		}
	}
	return all
}

func newForm(english, words string) form {
	f := form{words: words}
	pattern, rest := "", english
	for _, at := range value.FindAllStringSubmatchIndex(english, -1) {
		before := len(english) - len(rest)
		pattern += regexp.QuoteMeta(rest[:at[0]-before]) + "(.+?)"
		f.names = append(f.names, english[at[2]:at[3]])
		rest = english[at[1]:]
	}
	f.english = regexp.MustCompile("^" + pattern + regexp.QuoteMeta(rest) + "$")
	return f
}

// Because is a reason that inference gives, in this language. ok is false where a part of it is of
// no known form and stays English.
func (l Language) Because(why string) (text string, ok bool) {
	if len(l.forms) == 0 || why == "" {
		return why, true
	}
	ok = true
	var parts []string
	for _, part := range strings.Split(why, between) {
		said, known := l.reason(part)
		ok = ok && known
		parts = append(parts, said)
	}
	return strings.Join(parts, "；"), ok
}

// reason is one part of a reason: the first form that it has says its words.
func (l Language) reason(part string) (text string, known bool) {
	for _, f := range l.forms {
		values := f.english.FindStringSubmatch(part)
		if values == nil {
			continue
		}
		text := f.words
		for i, name := range f.names {
			said := values[i+1]
			if list, isList := strings.CutSuffix(name, ","); isList {
				name = list
				said = strings.Join(l.each(strings.Split(said, ", ")), "、")
			} else {
				said, _ = l.reason(said)
			}
			text = strings.Replace(text, "{"+name+"}", said, 1)
		}
		return text, true
	}
	return part, false
}

// each is the reason of each of several values.
func (l Language) each(values []string) []string {
	said := slices.Clone(values)
	for i := range said {
		said[i], _ = l.reason(said[i])
	}
	return said
}

// In is a question with its reasons in this language.
func (q Question) In(l Language) Question {
	q.Why, _ = l.Because(q.Why)
	q.Choices = slices.Clone(q.Choices)
	for i := range q.Choices {
		q.Choices[i].Why, _ = l.Because(q.Choices[i].Why)
	}
	return q
}
