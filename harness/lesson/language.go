package lesson

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// texts are the words of the walk itself, one file a language.
//
//go:embed texts/*.txt
var texts embed.FS

// A Language is the words of the walk, and of its questions, in one language.
type Language struct {
	Code  string // en, zh
	words map[string]string
	forms []form // of reasons; none: they stay as they are
}

// Languages are the codes of the languages that there are; the first is the one that
// everything is written in.
var Languages = []string{"en", "zh"}

// Speak returns a language by its code, or by the value of LANG (POSIX locale: zh_CN.UTF-8); ok is
// false where there is none of it, and then it is the first.
func Speak(name string) (l Language, ok bool) {
	code, _, _ := strings.Cut(strings.ToLower(name), ".")
	code, _, _ = strings.Cut(strings.ReplaceAll(code, "-", "_"), "_")
	if ok = slices.Contains(Languages, code); !ok {
		code = Languages[0]
	}
	text, err := texts.ReadFile("texts/" + code + ".txt")
	if err != nil {
		panic("lesson: no texts of " + code + ", which Languages has") // they are part of the program
	}
	forms, err := reasons.ReadFile("reasons/" + code + ".txt")
	if err != nil && code != Languages[0] {
		panic("lesson: no reasons of " + code + ", which Languages has") // they are part of the program
	}
	return Language{Code: code, words: parseWords(string(text)), forms: parseForms(string(forms))}, ok
}

// parseWords reads lines of KEY = TEXT.
func parseWords(text string) map[string]string {
	words := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(strings.TrimSpace(line), " = ")
		if found && !strings.HasPrefix(key, "#") {
			words[key] = value
		}
	}
	return words
}

// Say is the text of a key with its values in place. A key that the language has no text
// for is shown as it is.
func (l Language) Say(key string, values ...any) string {
	text, ok := l.words[key]
	if !ok {
		text = key
	}
	if len(values) == 0 {
		return text
	}
	return fmt.Sprintf(text, values...)
}

// Question is the words of a question in this language; own are those of the
// lesson, where it has any.
func (l Language) Question(q Question, own string) string {
	if own != "" {
		return own
	}
	if q.File != "" {
		return l.Say("ask.after", cmp.Or(q.Event, q.After))
	}
	key := "ask." + string(q.Subject.Kind)
	switch {
	case q.Lost:
		key += ".lost"
	case q.Subject.Fact != "":
		key = "ask.fact." + q.Subject.Fact
	}
	if text, ok := l.words[key]; ok {
		return strings.ReplaceAll(text, "{proxy}", l.whose(q))
	}
	return l.Say("ask.any", q.Subject, l.whose(q))
}

// Lost says why a choice of a question is not the answer: the reason for which it lost, or that it
// is what another proxy decides; "" where it has no reason.
func (l Language) Lost(q Question, c Choice) string {
	switch {
	case c.Why == "" || c.Right:
		return ""
	case q.Proxy != "" && c.Proxy != "" && c.Proxy != q.Proxy:
		return l.Say("other", c.Proxy, c.Why)
	}
	return l.Say("lost", c.Why)
}

// whose names the side that a question is about.
func (l Language) whose(q Question) string {
	if q.Proxy == "" {
		return l.Say("whose." + string(q.Subject.Side))
	}
	switch q.Subject.Side {
	case flow.Client:
		return l.Say("client", q.Proxy)
	case flow.Server:
		return l.Say("server", q.Proxy)
	}
	return q.Proxy
}
