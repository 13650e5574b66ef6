package match

import (
	"regexp"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
)

// A stringKind is a kind of StringMatcher: a field of its oneof match_pattern.
type stringKind struct {
	// test answers for a string by the field's value. fold makes of a text what ignore_case
	// compares.
	test func(v configdump.Value, s string, fold func(string) string) Truth
	// text shows the matcher as it would be written by hand: a prefix ends in *.
	text func(v configdump.Value) string
}

// stringKinds are the kinds by their fields. A new one is a row.
var stringKinds = map[string]stringKind{
	"exact":    folded(func(s, p string) bool { return s == p }, "", ""),
	"prefix":   folded(strings.HasPrefix, "", "*"),
	"suffix":   folded(strings.HasSuffix, "*", ""),
	"contains": folded(strings.Contains, "*", "*"),
	"safe_regex": {
		func(v configdump.Value, s string, _ func(string) string) Truth { return Regex(v, s) },
		func(v configdump.Value) string { return "~" + v.Get("regex").Text() },
	},
	"regex": { // before Envoy 1.19
		func(v configdump.Value, s string, _ func(string) string) Truth { return Of(fullMatch(v.Text(), s)) },
		func(v configdump.Value) string { return "~" + v.Text() },
	},
	"custom": {
		func(v configdump.Value, _ string, _ func(string) string) Truth {
			return unknownMatcher("string matcher", v)
		},
		func(v configdump.Value) string { return "what " + TypeOf(v) + " takes" },
	},
}

// folded is the kind of a comparison with a text, which ignore_case concerns.
func folded(compare func(s, pattern string) bool, before, behind string) stringKind {
	return stringKind{
		func(v configdump.Value, s string, fold func(string) string) Truth {
			return Of(compare(fold(s), fold(v.Text())))
		},
		func(v configdump.Value) string { return before + v.Text() + behind },
	}
}

// String evaluates envoy.type.matcher.v3.StringMatcher. One without a pattern matches nothing.
func String(m configdump.Value, s string) Truth {
	fold := func(t string) string { return t }
	if m.Get("ignore_case").Bool() {
		fold = Lower
	}
	for field, v := range m.Fields() {
		if kind, ok := stringKinds[configdump.FieldName(field)]; ok {
			return kind.test(v, s, fold)
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

// StringText shows a StringMatcher as it would be written by hand.
func StringText(m configdump.Value) string {
	for field, v := range m.Fields() {
		if kind, ok := stringKinds[configdump.FieldName(field)]; ok {
			return kind.text(v)
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
