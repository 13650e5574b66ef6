package redact

import (
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// Text returns text as it may be kept: a log of Envoy, the output of curl, a command's error, or
// anything else made of lines.
func Text(text string) string {
	if dull(text) {
		return text
	}
	if kept, ok := wholeURL(text); ok {
		return kept
	}
	if kept, ok := Message(text); ok {
		return kept
	}
	if strings.Contains(text, "PRIVATE KEY") {
		text = pem.ReplaceAllStringFunc(text, Mark)
	}
	return lines(yaml(manifest(text)))
}

// lines goes through text line by line: a header's line is hidden by the header's name, any
// other by what is in it.
func lines(text string) string {
	text = blocks(text)
	var b strings.Builder
	b.Grow(len(text))
	known := rememberLines(text)
	inside := false // a certificate, which holds no secret
	for at := 0; at < len(text); {
		end := len(text)
		if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
			end = at + n + 1
		}
		bare := strings.TrimRight(text[at:end], "\n")
		kept := bare
		switch {
		case inside && !isHeader(bare) || strings.HasPrefix(bare, "-----BEGIN "):
			inside = !strings.HasPrefix(bare, "-----END ")
			if !plainBase64(bare) {
				inside, kept = inside && strings.HasPrefix(bare, "-----BEGIN "), inline(requests(bare))
			}
		default:
			kept = known.line(bare)
		}
		b.WriteString(kept)
		b.WriteString(text[at+len(bare) : end])
		at = end
	}
	return b.String()
}

// plainBase64 is a line of a PEM block.
func plainBase64(line string) bool {
	line = strings.TrimRight(line, " \t\r")
	return len(line) <= 76 && !strings.Contains(line, "PRIVATE") &&
		(strings.HasPrefix(line, "-----") && strings.HasSuffix(line, "-----") ||
			strings.Trim(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == "")
}

// Name returns a name out of a configuration, such as a cluster's or a route's, as it may be
// kept: a name may look like a token and is none, so that only credentials and tokens of known
// forms are hidden in it.
func Name(text string) string { return forms(query(credentials(text))) }

// blocks hides what stands on more than one line: elements of XML, and parts of a form.
func blocks(text string) string {
	if strings.Contains(text, "</") {
		text = replace(elements, text, func(m []string) string {
			if !SecretName(m[2]) {
				return m[0]
			}
			return m[1] + m[2] + m[3] + Mark(m[4]) + m[5]
		})
	}
	if strings.Contains(text, "value=") {
		text = replace(inputs, text, func(m []string) string {
			if !SecretName(m[2]) {
				return m[0]
			}
			return m[1] + m[2] + m[3] + Mark(m[4])
		})
	}
	if strings.Contains(text, `name="`) {
		text = replace(parts, text, func(m []string) string {
			if !SecretName(m[2]) {
				return m[0]
			}
			return m[1] + m[2] + m[3] + Mark(m[4])
		})
	}
	return text
}

// dull is a short word in which nothing can be found; most strings of a dump are.
func dull(text string) bool {
	return len(text) < 16 && !strings.ContainsAny(text, "=:@/?&\"' \n\\$-<%{")
}

// inline hides secrets that stand in the middle of text: by their form, by the name
// before them, in URLs.
func inline(text string) string {
	if len(text) < 4 {
		return text
	}
	text = credentials(unescape(text))
	text = code(query(text))
	words := long(text)
	if words && strings.Contains(text, "/") {
		text = inURLs(text)
	}
	names := mayName(text)
	if names && mayAuthorize(text) {
		text = authorization(text)
	}
	text = forms(text)
	if names {
		text = named(text)
	}
	if words {
		text = tokens(text)
	}
	return text
}

// inURL is a URL, or a path that stands by itself, up to its query.
var inURL = lazyregexp.New(`(?:[a-z][a-z0-9+.-]*://[^\s/?#'"<>]+)?(?:/[A-Za-z0-9._~=+:@!$*%-]*)+`)

// inURLs hides the segments of URLs that look like tokens.
func inURLs(text string) string {
	if !longSegment(text) {
		return text
	}
	return inURL.ReplaceAllStringFunc(text, func(found string) string {
		at := 0
		if scheme := strings.Index(found, "://"); scheme >= 0 {
			slash := strings.IndexByte(found[scheme+3:], '/')
			if slash < 0 {
				return found
			}
			if strings.HasPrefix(found, "spiffe:") {
				return found
			}
			at = scheme + 3 + slash
		}
		return found[:at] + segment(found[at:])
	})
}

// longSegment reports whether segments would find a part of a path.
func longSegment(text string) bool {
	length := -1 // since the last slash, -1 where there is none before
	for n := range len(text) {
		switch c := text[n]; {
		case c == '/':
			length = 0
		case length >= 0 && (letterOrDigit(c) || strings.IndexByte("._~=+:@!$*-", c) >= 0):
			if length++; length >= 16 {
				return true
			}
		default:
			length = -1
		}
	}
	return false
}

// aValue is what can stand after a secret's name: in quotes, escaped quotes, or a word.
const aValue = `(?:` + markForm + `|\\"(?:` + markForm +
	`|[^"\\]|\\\\.)*\\"|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.|'')*'|\x60[^\x60\n]*\x60|[^\s,;&"'<>{}\[\]()|\\]+)`

// pairs are names with values in the forms in which programs write them: name=value, name: value,
// "name":"value", name => value, --name value, <name>value.
var pairs = lazyregexp.New(`(?i)([A-Za-z_][A-Za-z0-9_.-]*)((?:\\"|"|'|\x60)?\]?(?:[ \t]*(?:=>|:=|==|=|:)[ ` +
	`\t]*)(?:\[[ \t]*)?)(` + aValue + `)`)

// options are options of a command line, and elements of XML, with values.
var (
	options  = lazyregexp.New(`(^|[\s'"\x60\[,])(--?)([A-Za-z][A-Za-z0-9_-]*)((?:"|')?[ \t,]+)(` + aValue + `)`)
	elements = lazyregexp.New(`(<)([A-Za-z_][A-Za-z0-9_.:-]*)((?:\s[^<>]*)?>)([^<>]+)(</)`)
	inLine   = lazyregexp.New(`(')([A-Za-z0-9_-]+)(', ')([^'\n]+)(')`)
	parts    = lazyregexp.New(`(\bname=")([^"]+)("\r?\n(?:[^\r\n]+\r?\n)*\r?\n)([^\r\n]+)`)
	words2   = lazyregexp.New(`(?i)\b(password|passwd|passphrase|passcode|secret|token|api[ ` +
		`-]?key|credentials?)( (?:is|was|are|to|of) )(` + aValue + `)`)
)

// required is what a matcher asks of a header, as reports say it: "header x-key has to be VALUE,
// and the request has none".
var required = lazyregexp.New(`(?m)([A-Za-z0-9_-]+)(` + hasTo + `(?:not )?(?:be|match) (?:not )?)([^\r\n]+?)` +
	`(, and the request |, and it is |, header |, query parameter |, cookie | \(it is |; |$)`)

const hasTo = " has to "

// noValue are words that begin what a matcher asks for without a value.
var noValue = set("present absent in anything what")

// wholeLine are names whose value goes to the end of the line where it is not quoted.
var wholeLine = lazyregexp.New(
	`(?im)(^|[\s"'\x60,;({\[])((?:proxy-)?authorization|(?:set-)?cookie2?|www-authenticate|proxy-authenticate|` +
		`authentication-info)([ \t]*:[ \t]*)((?:="[^"\r\n]*"|=\\"[^"\\\r\n]*\\"|[^\r\n"'\\\]])+)`)

// authorization hides what stands to the end of a line after the name of a header with credentials.
func authorization(text string) string {
	if !strings.Contains(text, ":") {
		return text
	}
	return replace(wholeLine, text, func(m []string) string {
		trimmed := strings.TrimRight(m[4], " \t")
		return m[1] + m[2] + m[3] + Mark(trimmed) + m[4][len(trimmed):]
	})
}

// named hides what stands after the name of a secret.
func named(text string) string {
	if mayPair(text) {
		text = replacePairs(text)
	}
	if strings.Contains(text, "', '") {
		text = replace(inLine, text, func(m []string) string {
			if !SecretName(m[2]) {
				return m[0]
			}
			return m[1] + m[2] + m[3] + Mark(m[4]) + m[5]
		})
	}
	if mayOption(text) {
		text = replace(options, text, func(m []string) string {
			user := m[3] == "user" || m[3] == "proxy-user" ||
				m[2] == "-" && (m[3] == "u" || m[3] == "U") && strings.Contains(m[5], ":")
			if !SecretName(m[3]) && !user ||
				strings.HasPrefix(m[5], "-") {
				return m[0]
			}
			return m[1] + m[2] + m[3] + m[4] + markQuoted(m[5])
		})
	}
	if strings.Contains(text, hasTo) {
		text = replace(required, text, func(m []string) string {
			if first, _, _ := strings.Cut(m[3], " "); !SecretName(m[1]) || noValue[first] {
				return m[0]
			}
			return m[1] + m[2] + Mark(m[3]) + m[4]
		})
	}
	if !maySay(text) {
		return text
	}
	return replace(words2, text, func(m []string) string {
		if word := strings.Trim(m[3], `"'`+"`"); plain(word) && !strings.ContainsAny(m[3][:1], `"'`+"`") ||
			len(word) < 4 {
			return m[0]
		}
		return m[1] + m[2] + markQuoted(m[3])
	})
}

// replacePairs goes from pair to pair, so that a value that is no secret's is looked at for pairs
// itself: cause: token=x.
func replacePairs(text string) string {
	var b strings.Builder
	for {
		at := pairs.FindStringSubmatchIndex(text)
		if at == nil {
			b.WriteString(text)
			return b.String()
		}
		name, value := text[at[2]:at[3]], text[at[6]:at[7]]
		if !SecretName(name) || small.MatchString(strings.Trim(value, `"'`)) && !isPIN(name) || reference(value) {
			b.WriteString(text[:at[5]])
			text = text[at[5]:]
			continue
		}
		b.WriteString(text[:at[6]])
		b.WriteString(markQuoted(value))
		text = text[at[7]:]
	}
}

// isPIN is a name whose numbers are secrets, however short they are.
func isPIN(name string) bool {
	for _, word := range words(name) {
		switch word {
		case "pin", "otp", "totp", "cvv", "cvc", "password", "passcode", "passwd":
			return true
		}
	}
	return false
}

// file is the path of a file, which names where a secret is.
var file = lazyregexp.New(
	`^["']?(?:file:(?://)?)?(?:\.{0,2}/(?:etc|var|run|home|usr|tmp|root|opt|srv|proc|sys|dev|mnt)/[A-Za-z0-9_./-]*|` +
		`\.{0,2}/?(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_-]+\.(?:pem|key|crt|cer|der|txt|json|ya?ml|p12|pfx|jks|env|conf|` +
		`sock|go|cc|h|py))["']?$`)

// reference is a value that only says where a secret is, or that there is none: a path, a variable,
// a word of a sentence.
func reference(value string) bool {
	bare := strings.Trim(value, `"'\`+"`")
	switch {
	case bare == "" || bare == Masked || strings.Trim(bare, "*xX.•-") == "":
		return true
	case strings.HasPrefix(bare, "$") && strings.Trim(bare[1:], "{}()ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == "":
		return true
	case strings.HasPrefix(bare, "%") && strings.HasSuffix(bare, "%") && len(bare) > 2:
		return true
	}
	return file.MatchString(value) && !Token(bare)
}

// markQuoted marks a value between its quotes.
func markQuoted(value string) string {
	for _, quote := range []string{`\"`, `"`, `'`, "`"} {
		if inner, ok := strings.CutPrefix(value, quote); ok && strings.HasSuffix(inner, quote) &&
			len(inner) >= len(quote) {
			return quote + Mark(inner[:len(inner)-len(quote)]) + quote
		}
	}
	return Mark(value)
}

// secretManifest begins a Secret of Kubernetes in YAML, and dataLine is a line of its data.
var (
	secretManifest = lazyregexp.New(`(?m)^[ \t-]*kind:[ \t]*["']?Secret(?:List)?["']?[ \t\r]*$`)
	dataKey        = lazyregexp.New(`^([ \t-]*)(data|stringData):[ \t\r]*$`)
	dataLine       = lazyregexp.New(`^([ \t]+)([^\s:#]+)(:[ \t]*)(.*?)([ \t\r]*)$`)
)

// manifest hides the data of Secrets in YAML.
func manifest(text string) string {
	if !strings.Contains(text, "kind:") || !secretManifest.MatchString(text) {
		return text
	}
	lines := strings.SplitAfter(text, "\n")
	depth, value := -1, -1 // indentation of the line data:, and of a key whose value goes on beneath it
	for n, line := range lines {
		bare := strings.TrimRight(line, "\n")
		indent := len(bare) - len(strings.TrimLeft(bare, " \t"))
		switch m := dataKey.FindStringSubmatch(bare); {
		case m != nil:
			depth, value = len(m[1]), -1
			continue
		case strings.TrimSpace(bare) == "":
			continue
		case depth >= 0 && indent <= depth:
			depth = -1
		}
		if depth < 0 {
			continue
		}
		end := line[len(bare):]
		if m := dataLine.FindStringSubmatch(bare); m != nil && (value < 0 || indent <= value) {
			value = indent
			if strings.Trim(m[4], "|>+-0123456789") != "" {
				lines[n] = m[1] + m[2] + m[3] + markQuoted(m[4]) + m[5] + end
			}
			continue
		}
		lines[n] = bare[:indent] + Mark(strings.TrimRight(bare[indent:], "\r")) + end
	}
	return strings.Join(lines, "")
}
