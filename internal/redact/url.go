package redact

import (
	"net/url"
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// URL returns a URL, or a path with its query, as it may be kept: without a user and password
// before the host, with the values of those query parameters alone that are shown, and without path
// segments that look like tokens.
func URL(text string) string {
	if kept, ok := wholeURL(text); ok {
		return kept
	}
	return inline(text)
}

// Path returns a path with its query as it may be kept.
func Path(text string) string { return path(text) }

// aQuery is a parameter behind a sign.
const aQuery = `([?&]|\\u0026|&amp;|%3[Ff]|%26)([A-Za-z0-9_.~$\[\]%:'()*!/@+-]+)(=|%3[Dd])((?:` +
	markForm +
	`|['"<>()\x60|,][A-Za-z0-9%]|[^&;?\s'"<>#\\)\x60|,%]|%(?:[013-9a-fA-F][0-9a-fA-F]|2[0-57-9a-fA-F]))+)`

var (
	// userinfo is what stands before the host of a URL of any scheme.
	userinfo = lazyregexp.New(`([A-Za-z][A-Za-z0-9+.-]*://)((?:` + markForm + `|[^\s/?#@'"<>\\])+(?:@(?:` +
		markForm + `|[^\s/?#@'"<>\\])+)*)@`)
	// queries are runs of parameters after a question mark, as they stand in the middle of text.
	// Another question mark begins new ones, as in parameters: both make the same of one query. A
	// quote, a bracket or a comma belongs to a value where a letter or a digit comes after it: one
	// that ends the URL has another character after it.
	queries = begun{`?&%\`, lazyregexp.New(aQuery), lazyregexp.New(`^(?:` + aQuery + `)`)}
	// semicolons are runs of parameters as queries, in which a semicolon stands between two.
	semicolons = lazyregexp.New(`\?[A-Za-z0-9_.~$\[\]%:-]+=(?:` + markForm + `|[^\s'"<>#\\)\x60|,])*;(?:` +
		markForm + `|[^\s'"<>#\\)\x60|,])*`)
	// segments are the parts of a path that begin at a slash.
	segments = lazyregexp.New(`(/)([A-Za-z0-9._~=+:@!$*-]{16,})`)
)

// query hides the values of parameters that are not shown.
func query(text string) string {
	if !strings.ContainsAny(text, "=%") || !strings.ContainsAny(text, "?&%") && !strings.Contains(text, `\u0026`) {
		return text
	}
	if strings.Contains(text, "?") && strings.Contains(text, ";") {
		text = semicolons.ReplaceAllStringFunc(text, parameters)
	}
	return queries.replace(text, func(m []string) string {
		return m[1] + m[2] + m[3] + parameter(m[2], m[4])
	})
}

// parameter is the value of a query parameter as it may be kept.
func parameter(name, value string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	switch {
	case SecretName(name):
		return Mark(value)
	case small.MatchString(value):
		return value
	case !ShownParameter(name), Token(value):
		return Mark(value)
	}
	return value
}

// path hides what is secret in a path with its query. Envoy and curl write nothing
// else in its place.
func path(text string) string {
	before, after, found := strings.Cut(unescape(text), "?")
	if before = matrix(segment(before)); found {
		before += parameters("?" + after)
	}
	return forms(before)
}

// aURL is text that is one URL or path with a query, and nothing else.
var aURL = lazyregexp.New(`^(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]*)?(/[^?#\s]*)?\?\S*$`)

// longestURL is what Envoy takes of a request's headers at most where nothing else is
// configured (60 KiB).
const longestURL = 60 << 10

// wholeURL hides what is secret in text that is one URL or path with a query. Its parameters
// end where a path's end: a quote or a bracket is part of a value, which it would not be in the
// middle of a sentence.
func wholeURL(text string) (string, bool) {
	if len(text) > longestURL || strings.ContainsAny(text, "\r\n") {
		return "", false
	}
	if text = unescape(text); !strings.Contains(text, "?") || !aURL.MatchString(unmarked(text)) {
		return "", false
	}
	before, after, _ := strings.Cut(text, "?")
	if strings.HasPrefix(before, "/") {
		return path(text), true
	}
	return inline(before) + forms(parameters("?"+after)), true
}

// unmarked is text with marks that have no blanks.
func unmarked(text string) string { return aMark.ReplaceAllString(text, "«»") }

// parameters hides the values of a whole query, which ends where the text ends, with any characters
// in it.
func parameters(text string) string {
	var b strings.Builder
	for text != "" {
		end := strings.IndexAny(text[1:], "&;?#")
		part := text
		if end >= 0 {
			part = text[:end+1]
		}
		text = text[len(part):]
		name, value, ok := strings.Cut(part[1:], "=")
		switch {
		case ok:
			part = part[:1] + name + "=" + parameter(name, value)
		case Token(name) || bare(name):
			part = part[:1] + Mark(name)
		}
		b.WriteString(part)
	}
	return b.String()
}

// matrixParameter is a parameter of a path's segment.
var matrixParameter = lazyregexp.New(`(;)([A-Za-z0-9_.~%-]+)(=)((?:` + markForm + `|[^;/?#\s])+)`)

// matrix hides the values of parameters that stand in a path: /a;token=x/b.
func matrix(text string) string {
	if !strings.Contains(text, ";") {
		return text
	}
	return replace(matrixParameter, text, func(m []string) string {
		return m[1] + m[2] + m[3] + parameter(m[2], m[4])
	})
}

// bare is a query that is no parameter and longer than a word.
func bare(name string) bool { return len(name) >= 16 && !onlyMark.MatchString(name) }

// segment hides path segments that look like tokens, and hexadecimal ones of 128 bits and more,
// which name nothing that a route is chosen by.
func segment(text string) string {
	return replace(segments, text, func(m []string) string {
		if Token(m[2]) || hexadecimal.MatchString(m[2]) {
			return m[1] + Mark(m[2])
		}
		return m[0]
	})
}

// credentials hides what stands before the host of a URL.
func credentials(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	return replace(userinfo, text, func(m []string) string { return m[1] + Mark(m[2]) + "@" })
}

// A begun expression is one of which every match begins with one of some characters.
type begun struct {
	with     string
	anywhere *lazyregexp.Regexp
	here     *lazyregexp.Regexp // the same, bound to where a text begins
}

// mostBegun is from how many such characters on a text is looked through as a whole: what begins at
// each of them may go to its end.
const mostBegun = 64

// replace is replace for a begun expression, which is tried where a match may begin alone.
func (e begun) replace(text string, by func(groups []string) string) string {
	var b strings.Builder
	last, tried := 0, 0
	for at := 0; ; {
		n := strings.IndexAny(text[at:], e.with)
		if n < 0 {
			break
		}
		at += n
		if tried++; tried > mostBegun {
			return b.String() + replace(e.anywhere, text[last:], by)
		}
		groups := e.here.FindStringSubmatch(text[at:])
		if groups == nil {
			at++
			continue
		}
		b.WriteString(text[last:at])
		b.WriteString(by(groups))
		at += len(groups[0])
		last = at
	}
	if last == 0 {
		return text
	}
	b.WriteString(text[last:])
	return b.String()
}

// replace is ReplaceAllStringFunc for what needs the groups of the expression.
func replace(expression *lazyregexp.Regexp, text string, by func(groups []string) string) string {
	found := expression.FindAllStringSubmatchIndex(text, -1)
	if found == nil {
		return text
	}
	var b strings.Builder
	last := 0
	for _, at := range found {
		groups := make([]string, len(at)/2)
		for n := range groups {
			if at[2*n] >= 0 {
				groups[n] = text[at[2*n]:at[2*n+1]]
			}
		}
		b.WriteString(text[last:at[0]])
		b.WriteString(by(groups))
		last = at[1]
	}
	b.WriteString(text[last:])
	return b.String()
}
