package infer

import (
	"regexp"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
)

// stringMatches evaluates envoy.type.matcher.v3.StringMatcher. An unknown kind of matcher matches nothing.
func stringMatches(m configdump.Value, s string) bool {
	ignore := m.Get("ignore_case").Bool()
	fold := func(t string) string {
		if ignore {
			return strings.ToLower(t)
		}
		return t
	}
	for kind, v := range m.Fields() {
		switch kind {
		case "exact":
			return fold(s) == fold(v.Text())
		case "prefix":
			return strings.HasPrefix(fold(s), fold(v.Text()))
		case "suffix":
			return strings.HasSuffix(fold(s), fold(v.Text()))
		case "contains":
			return strings.Contains(fold(s), fold(v.Text()))
		case "safe_regex", "safeRegex":
			return regexMatches(v, s)
		case "regex": // before Envoy 1.19
			return fullMatch(v.Text(), s)
		}
	}
	return false
}

// matcherText shows a StringMatcher as it would be written by hand: a prefix ends in *.
func matcherText(m configdump.Value) string {
	for kind, v := range m.Fields() {
		switch kind {
		case "exact":
			return v.Text()
		case "prefix":
			return v.Text() + "*"
		case "suffix":
			return "*" + v.Text()
		case "contains":
			return "*" + v.Text() + "*"
		case "safe_regex", "safeRegex":
			return "~" + v.Get("regex").Text()
		case "regex":
			return "~" + v.Text()
		}
	}
	return "anything"
}

// regexMatches evaluates envoy.type.matcher.v3.RegexMatcher, which has to match the whole string.
func regexMatches(m configdump.Value, s string) bool { return fullMatch(m.Get("regex").Text(), s) }

// maxPattern bounds the text of a pattern; Go's regexp, an RE2 like Envoy's, bounds the rest.
const maxPattern = 64 << 10

var patterns struct {
	sync.Mutex
	compiled map[string]*regexp.Regexp // nil where the pattern is not valid
}

// pattern compiles a regular expression of a dump once. It returns nil for one that Envoy would not have accepted.
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
	if _, err := regexp.Compile(text); err == nil && len(text) <= maxPattern {
		p, _ = regexp.Compile(`^(?:` + text + `)$`) // checked alone first: a stray bracket must not reach the frame
	}
	patterns.compiled[text] = p
	return p
}

// fullMatch says whether the pattern matches the whole string.
func fullMatch(text, s string) bool {
	p := pattern(text)
	return p != nil && p.MatchString(s)
}
