package redact

import (
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// A string of a program, and one that stands in JSON.
const aString = `\\?["']`

var (
	// sets are calls that give a header a value, as Envoy's Lua filter has them:
	// headers:add("x-key", "v"). Source: Envoy's documentation, "Lua", header object API.
	sets = lazyregexp.New(`(\b(?:add|replace|set|append)[A-Za-z_]*\(\s*` + aString + `)([A-Za-z0-9_:-]+)(` +
		aString + `\s*,\s*` + aString + `)([^"'\\\n]+)(` + aString + `)`)
	// compared are a header and what it is compared with: request.headers['x-key'] == 'v' of CEL,
	// headers:get("x-key") == "v" of Lua.
	compared = lazyregexp.New(`(headers(?:\(\))?(?:\[|:get\()\s*` + aString + `)([A-Za-z0-9_:-]+)(` + aString +
		`\s*[\])]\s*[=!~]=\s*` + aString + `)([^"'\\\n]+)(` + aString + `)`)
	// headerOptions are options of curl's with a header.
	headerOptions = lazyregexp.New(`(^|[\s'"\x60\[,])(-H|--header|--proxy-header)([ \t=]*)` +
		`('[^'\n]*'|"[^"\n]*"|(?:` +
		markForm + `|[^\s'"])+)`)
	// inputs are fields of a form in HTML with values.
	inputs = lazyregexp.New(`(\bname=["'])([^"']+)(["'][^<>]*?\svalue=["'])([^"']+)`)
)

// code hides the values of headers in programs and in command lines, by the headers' names.
func code(text string) string {
	if strings.Contains(text, "eaders") {
		for _, form := range []*lazyregexp.Regexp{sets, compared} {
			text = replace(form, text, func(m []string) string {
				return m[1] + m[2] + m[3] + Header(m[2], m[4]) + m[5]
			})
		}
	}
	if !strings.Contains(text, "-H") && !strings.Contains(text, "-header") {
		return text
	}
	return replace(headerOptions, text, func(m []string) string {
		whole, quote := m[4], ""
		if strings.ContainsAny(whole[:1], `'"`) {
			quote = whole[:1]
		}
		name, value, ok := strings.Cut(strings.Trim(whole, quote), ":")
		bare := strings.TrimLeft(value, " \t")
		if !ok || bare == "" || strings.HasPrefix(name, "@") {
			return m[0]
		}
		blank := value[:len(value)-len(bare)]
		return m[1] + m[2] + m[3] + quote + name + ":" + blank + Header(name, bare) + quote
	})
}

var (
	// valueBelow and valueAbove are a name and a value on two lines of YAML.
	valueBelow = lazyregexp.New(`(?m)^([ \t-]*(?:name|key):[ \t]*["']?)([A-Za-z0-9_.-]+)` +
		`(["']?[ \t\r]*\n[ \t]*value:[ \t]*)([^\r\n]+)`)
	valueAbove = lazyregexp.New(`(?m)^([ \t-]*value:[ \t]*)([^\r\n]+)` +
		`(\r?\n[ \t]*(?:name|key):[ \t]*["']?)([A-Za-z0-9_.-]+)`)
	// keyAlone is a key whose value begins on the next line.
	keyAlone = lazyregexp.New(`^([ \t-]*)["']?([A-Za-z0-9_.-]+)["']?:[ \t]*([|>][+-]?)?[ \t\r]*$`)
	// aKey is the beginning of a line that has a key of its own.
	aKey = lazyregexp.New(`^[ \t-]*["']?[A-Za-z0-9_./-]+["']?:(?:[ \t]|$)`)
)

// yaml hides values that stand on another line than their names.
func yaml(text string) string {
	if !strings.Contains(text, ":") || !strings.Contains(text, "\n") || len(text) < longText && !mayName(text) {
		return text // a long text has some name that could be a secret's, and to look costs as much
	}
	if strings.Contains(text, "value:") {
		text = replace(valueBelow, text, func(m []string) string {
			if !SecretName(m[2]) || reference(m[4]) {
				return m[0]
			}
			return m[1] + m[2] + m[3] + markQuoted(m[4])
		})
		text = replace(valueAbove, text, func(m []string) string {
			if !SecretName(m[4]) || reference(m[2]) {
				return m[0]
			}
			return m[1] + markQuoted(m[2]) + m[3] + m[4]
		})
	}
	lines := strings.SplitAfter(text, "\n")
	depth, block := -1, false // indentation of a secret's name whose value is below it
	for n, line := range lines {
		bare := strings.TrimRight(line, "\r\n")
		inner := strings.TrimLeft(bare, " \t")
		indent := len(bare) - len(inner)
		if depth >= 0 && inner != "" && indent > depth && (block || !aKey.MatchString(bare)) {
			lines[n] = bare[:indent] + markQuoted(inner) + line[len(bare):]
			continue
		}
		if inner != "" {
			depth = -1
		}
		if end := strings.TrimRight(bare, " \t"); end == "" || strings.IndexByte(":|>+-", end[len(end)-1]) < 0 {
			continue
		}
		if m := keyAlone.FindStringSubmatch(bare); m != nil && SecretName(m[2]) {
			depth, block = len(m[1]), m[3] != ""
		}
	}
	return strings.Join(lines, "")
}
