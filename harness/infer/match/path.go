package match

import (
	"regexp"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// A Path is the path_specifier of envoy.config.route.v3.RouteMatch.
type Path struct {
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
	pathUnknown // a path_match_policy of a type that is not known, which text names
)

// pathFields are the fields of a RouteMatch that are conditions on the path, with how each is
// read.
var pathFields = map[string]func(*Path, configdump.Value){
	"prefix":                func(p *Path, v configdump.Value) { p.kind, p.text = pathPrefix, v.Text() },
	"path":                  func(p *Path, v configdump.Value) { p.kind, p.text = pathExact, v.Text() },
	"path_separated_prefix": func(p *Path, v configdump.Value) { p.kind, p.text = pathSeparatedPrefix, v.Text() },
	"safe_regex":            func(p *Path, v configdump.Value) { p.kind, p.text = pathRegex, v.Get("regex").Text() },
	// until Envoy 1.18
	"regex":             func(p *Path, v configdump.Value) { p.kind, p.text = pathRegex, v.Text() },
	"connect_matcher":   func(p *Path, _ configdump.Value) { p.kind = pathConnect },
	"path_match_policy": (*Path).policy,
	"case_sensitive":    func(p *Path, v configdump.Value) { p.fold = v.Exists() && !v.Bool() },
}

// IsPathField says whether a field of a RouteMatch is one that NewPath reads. The name is as
// configdump.FieldName gives it.
func IsPathField(name string) bool { return pathFields[name] != nil }

// NewPath reads the path_specifier of a RouteMatch.
func NewPath(m configdump.Value) Path {
	var p Path
	for name, v := range m.Fields() {
		if read := pathFields[configdump.FieldName(name)]; read != nil {
			read(&p, v)
		}
	}
	if p.fold && p.kind != pathRegex && p.kind != pathTemplate && p.kind != pathUnknown {
		p.text = Lower(p.text)
	}
	return p
}

// policy reads path_match_policy.
func (p *Path) policy(v configdump.Value) {
	config, kind := v.Get("typed_config").Typed()
	p.kind, p.text = pathTemplate, config.Get("path_template").Text()
	if !strings.HasSuffix(kind, ".uri_template.v3.UriTemplateMatchConfig") {
		p.kind, p.text = pathUnknown, TypeOf(v)
	}
}

// String shows the condition.
func (p Path) String() string {
	kind := [...]string{"no path condition", "prefix ", "path ", "path_separated_prefix ", "safe_regex ",
		"connect_matcher", "path template ", "path_match_policy "}
	text := kind[p.kind] + p.text
	if p.fold {
		text += " (case-insensitive)"
	}
	return text
}

// Matches evaluates the condition on a path without its query. hasPath is false for a CONNECT of
// HTTP/1, which has none.
func (p Path) Matches(path string, hasPath, connect bool) Truth {
	switch {
	case p.kind == pathUnknown:
		return Depends("path_match_policy "+p.text, "what the path_match_policy "+p.text+" matches is not known")
	case p.kind == pathConnect:
		return Of(connect)
	case !hasPath:
		return No
	}
	folded := path
	if p.fold {
		folded = Lower(path)
	}
	switch p.kind {
	case pathPrefix:
		return Of(strings.HasPrefix(folded, p.text))
	case pathExact:
		return Of(folded == p.text)
	case pathSeparatedPrefix:
		rest, ok := strings.CutPrefix(folded, p.text)
		return Of(ok && (rest == "" || rest[0] == '/'))
	case pathRegex:
		return Of(fullMatch(p.text, path))
	case pathTemplate:
		t := TemplatePattern(p.text)
		return Of(t != nil && t.MatchString(Latin1(path)))
	}
	return No
}

// Any says whether every path matches.
func (p Path) Any() bool { return p.kind == pathPrefix && (p.text == "/" || p.text == "") }

// Template says whether the path is held against a template.
func (p Path) Template() bool { return p.kind == pathTemplate }

// Matched returns the part of the path that a prefix_rewrite replaces. ok is false where the path
// does not begin with what matched: parameters of its segments were ignored.
func (p Path) Matched(path string) (part string, ok bool) {
	switch p.kind {
	case pathPrefix, pathSeparatedPrefix, pathExact:
		part = path[:min(len(p.text), len(path))]
		return part, part == p.text || p.fold && Lower(part) == p.text
	}
	return path, true
}

// TemplatePattern turns a path template (* one segment, ** any rest, {name=…} a variable) into a
// regular expression. (envoy/extensions/path/match/uri_template)
func TemplatePattern(template string) *regexp.Regexp {
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
			sub := TemplatePattern(inner)
			if sub == nil || !validName(name) {
				return nil
			}
			b.WriteString("(?P<" + name + ">" + strings.TrimSuffix(strings.TrimPrefix(sub.String(), "^(?:"), ")$") +
				")")
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

// TemplateRewrite fills the variables of a path template into the template of a rewrite.
func (p Path) TemplateRewrite(into, path string) (string, bool) {
	pattern := TemplatePattern(p.text)
	if p.kind != pathTemplate || pattern == nil || into == "" {
		return "", false
	}
	found := pattern.FindStringSubmatch(Latin1(path))
	if found == nil {
		return "", false
	}
	for i, name := range pattern.SubexpNames() {
		if name != "" {
			into = strings.ReplaceAll(into, "{"+name+"}", fromLatin1(found[i]))
		}
	}
	return into, true
}
