package match

import (
	"regexp"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
)

// String evaluates envoy.type.matcher.v3.StringMatcher. One without a pattern matches nothing.
func String(m configdump.Value, s string) Truth {
	ignore := m.Get("ignore_case").Bool()
	fold := func(t string) string {
		if ignore {
			return Lower(t)
		}
		return t
	}
	for kind, v := range m.Fields() {
		switch configdump.FieldName(kind) {
		case "exact":
			return Of(fold(s) == fold(v.Text()))
		case "prefix":
			return Of(strings.HasPrefix(fold(s), fold(v.Text())))
		case "suffix":
			return Of(strings.HasSuffix(fold(s), fold(v.Text())))
		case "contains":
			return Of(strings.Contains(fold(s), fold(v.Text())))
		case "safe_regex":
			return Regex(v, s)
		case "regex": // before Envoy 1.19
			return Of(fullMatch(v.Text(), s))
		case "custom":
			return unknownMatcher("string matcher", v)
		}
	}
	return No
}

// unknownMatcher is the answer of an extension (TypedExtensionConfig) whose test is not known.
func unknownMatcher(kind string, v configdump.Value) Truth {
	name := TypeOf(v)
	return Depends(kind+" "+name, "what the "+kind+" "+name+" tests is not known")
}

// TypeOf names a TypedExtensionConfig by the type of its configuration, or else by its own name.
func TypeOf(v configdump.Value) string {
	if _, kind := v.Get("typed_config").Typed(); kind != "" {
		return kind
	}
	if name := v.Get("name").Text(); name != "" {
		return name
	}
	return "without a name"
}

// StringText shows a StringMatcher as it would be written by hand: a prefix ends in *.
func StringText(m configdump.Value) string {
	for kind, v := range m.Fields() {
		switch configdump.FieldName(kind) {
		case "exact":
			return v.Text()
		case "prefix":
			return v.Text() + "*"
		case "suffix":
			return "*" + v.Text()
		case "contains":
			return "*" + v.Text() + "*"
		case "safe_regex":
			return "~" + v.Get("regex").Text()
		case "regex":
			return "~" + v.Text()
		case "custom":
			return "what " + TypeOf(v) + " takes"
		}
	}
	return "anything"
}

// Regex evaluates envoy.type.matcher.v3.RegexMatcher, which has to match the whole string.
func Regex(m configdump.Value, s string) Truth { return Of(fullMatch(m.Get("regex").Text(), s)) }

// maxPattern bounds the text of a pattern; Go's regexp, an RE2 like Envoy's, bounds the rest.
const maxPattern = 64 << 10

var patterns struct {
	sync.Mutex
	compiled map[string]*regexp.Regexp // nil where the pattern is not valid
}

// pattern compiles a regular expression of a dump once. It returns nil for one that Envoy
// would not have accepted. What it is asked about has to be as Latin1 gives it.
func pattern(text string) *regexp.Regexp {
	patterns.Lock()
	defer patterns.Unlock()
	if p, ok := patterns.compiled[text]; ok {
		return p
	}
	if patterns.compiled == nil || len(patterns.compiled) > 4096 {
		patterns.compiled = map[string]*regexp.Regexp{}
	}
	var p *regexp.Regexp
	if plain := goPattern(text); len(text) <= maxPattern && compiles(plain) {
		p, _ = regexp.Compile(`^(?:` + plain + `)$`) // checked alone first: a stray bracket must not reach the frame
	}
	patterns.compiled[text] = p
	return p
}

// fullMatch says whether the pattern matches the whole string.
func fullMatch(text, s string) bool {
	p := pattern(text)
	return p != nil && p.MatchString(Latin1(s))
}

// SearchPattern compiles a regular expression that may match a part of a string, or returns nil for
// one that is not valid. The string has to be as Latin1 gives it.
func SearchPattern(text string) *regexp.Regexp {
	if len(text) > maxPattern {
		return nil
	}
	p, err := regexp.Compile(goPattern(text))
	if err != nil {
		return nil
	}
	return p
}

// Regexp compiles a pattern that has to match a whole string, or returns nil for
// one that is not valid. The string has to be as Latin1 gives it.
func Regexp(text string) *regexp.Regexp { return pattern(text) }
