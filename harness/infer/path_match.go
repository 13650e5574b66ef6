package infer

import (
	"regexp"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// A pathMatch is the path_specifier of envoy.config.route.v3.RouteMatch.
type pathMatch struct {
	kind pathKind
	text string
	fold bool // case_sensitive is false
}

type pathKind uint8

const (
	pathNone pathKind = iota // no specifier: matches nothing
	pathPrefix
	pathExact
	pathSeparatedPrefix
	pathRegex
	pathConnect
	pathTemplate
)

func newPathMatch(m configdump.Value) pathMatch {
	p := pathMatch{fold: isFalse(m.Get("case_sensitive"))}
	for name, v := range m.Fields() {
		switch name {
		case "prefix":
			p.kind, p.text = pathPrefix, v.Text()
		case "path":
			p.kind, p.text = pathExact, v.Text()
		case "path_separated_prefix", "pathSeparatedPrefix":
			p.kind, p.text = pathSeparatedPrefix, v.Text()
		case "safe_regex", "safeRegex":
			p.kind, p.text = pathRegex, v.Get("regex").Text()
		case "regex": // until Envoy 1.18
			p.kind, p.text = pathRegex, v.Text()
		case "connect_matcher", "connectMatcher":
			p.kind = pathConnect
		case "path_match_policy", "pathMatchPolicy":
			config, _ := v.Get("typed_config").Typed()
			p.kind, p.text = pathTemplate, config.Get("path_template").Text()
		}
	}
	if p.fold && p.kind != pathRegex && p.kind != pathTemplate {
		p.text = strings.ToLower(p.text)
	}
	return p
}

// String shows the condition.
func (p pathMatch) String() string {
	kind := [...]string{"no path condition", "prefix ", "path ", "path_separated_prefix ", "safe_regex ", "connect_matcher", "path template "}
	text := kind[p.kind] + p.text
	if p.fold {
		text += " (case-insensitive)"
	}
	return text
}

// matches evaluates the condition on a path without its query. hasPath is false for a CONNECT of HTTP/1, which has none.
func (p pathMatch) matches(path string, hasPath, connect bool) bool {
	if p.kind == pathConnect {
		return connect
	}
	if !hasPath {
		return false
	}
	folded := path
	if p.fold {
		folded = strings.ToLower(path)
	}
	switch p.kind {
	case pathPrefix:
		return strings.HasPrefix(folded, p.text)
	case pathExact:
		return folded == p.text
	case pathSeparatedPrefix:
		rest, ok := strings.CutPrefix(folded, p.text)
		return ok && (rest == "" || rest[0] == '/')
	case pathRegex:
		return fullMatch(p.text, path)
	case pathTemplate:
		t := templatePattern(p.text)
		return t != nil && t.MatchString(path)
	}
	return false
}

// matched returns the part of the path that a prefix_rewrite replaces.
func (p pathMatch) matched(path string) string {
	switch p.kind {
	case pathPrefix, pathSeparatedPrefix:
		return path[:min(len(p.text), len(path))]
	}
	return path
}

// templatePattern turns a path template (* one segment, ** any rest, {name=…} a variable) into a regular expression.
// (envoy/extensions/path/match/uri_template)
func templatePattern(template string) *regexp.Regexp {
	const segment, rest = `[^/]+`, `.*`
	var b strings.Builder
	for i := 0; i < len(template); {
		switch c := template[i]; {
		case strings.HasPrefix(template[i:], "**"):
			b.WriteString(rest)
			i += 2
		case c == '*':
			b.WriteString(segment)
			i++
		case c == '{':
			end := strings.IndexByte(template[i:], '}')
			if end < 0 {
				return nil
			}
			name, inner, ok := strings.Cut(template[i+1:i+end], "=")
			if !ok {
				inner = "*"
			}
			sub := templatePattern(inner)
			if sub == nil || !validName(name) {
				return nil
			}
			b.WriteString("(?P<" + name + ">" + strings.TrimSuffix(strings.TrimPrefix(sub.String(), "^(?:"), ")$") + ")")
			i += end + 1
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
			i++
		}
	}
	return pattern(b.String())
}

func validName(name string) bool {
	for _, c := range name {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return name != ""
}

// templateRewrite fills the variables of a path template into the template of a rewrite.
func templateRewrite(template, into, path string) (string, bool) {
	p := templatePattern(template)
	if p == nil || into == "" {
		return "", false
	}
	found := p.FindStringSubmatch(path)
	if found == nil {
		return "", false
	}
	for i, name := range p.SubexpNames() {
		if name != "" {
			into = strings.ReplaceAll(into, "{"+name+"}", found[i])
		}
	}
	return into, true
}

// searchPattern compiles a regular expression that may match a part of a string.
func searchPattern(text string) *regexp.Regexp {
	if len(text) > maxPattern {
		return nil
	}
	p, err := regexp.Compile(text)
	if err != nil {
		return nil
	}
	return p
}
