// Package redact takes secrets out of what the lab keeps or shows: header values, tokens, private keys. It is applied
// before anything reaches disk or screen, and it never changes a value that an instrument or inference reads.
package redact

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Mask stands where a secret stood. It is the word that Envoy's own config_dump uses.
const Mask = "[redacted]"

// secretHeaders are header names whose values are secrets whatever they hold; names in lower case.
var secretHeaders = map[string]bool{
	"authorization": true, "proxy-authorization": true, "cookie": true, "set-cookie": true,
	"x-api-key": true, "x-auth-token": true, "x-access-token": true, "x-csrf-token": true,
	"x-amz-security-token": true, "x-goog-iam-authorization-token": true, "www-authenticate": true,
}

// SecretHeader reports whether the header's value is a secret. Names are compared without regard to case.
func SecretHeader(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return secretHeaders[name] || strings.HasSuffix(name, "-token") || strings.HasSuffix(name, "-secret") ||
		strings.HasSuffix(name, "-password") || strings.HasSuffix(name, "api-key")
}

// Header returns the value of a header as it may be kept. Of x-forwarded-client-cert the hash, subject and URI stay,
// and certificates in PEM form go: the hash already names them.
func Header(name, value string) string {
	if SecretHeader(name) {
		return Mask
	}
	if strings.EqualFold(name, "x-forwarded-client-cert") {
		value = xfccCert.ReplaceAllString(value, `$1="`+Mask+`"`)
	}
	return inline(value)
}

var (
	privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	xfccCert   = regexp.MustCompile(`(?i)\b(Cert|Chain)="[^"]*"`)
	// Envoy prints a header map as one 'name', 'value' per line.
	envoyHeader = regexp.MustCompile(`(?m)^([ \t]*')([A-Za-z0-9_:.-]+)(', ')(.*)(')$`)
	// curl -v prints "> name: value" and "< name: value".
	curlHeader = regexp.MustCompile(`(?m)^([<>*]? ?(?:h2h3 \[|\[HTTP/[0-9.]+\] \[[0-9]+\] \[)?)([A-Za-z0-9_-]+)(: )([^\r\n]*)`)
	// The request line that Envoy and curl print carries the query.
	queryToken  = regexp.MustCompile(`(?i)([?&;](?:[a-z0-9_-]*token|password|passwd|secret|api_?key|signature|sig|code)=)[^&\s'"]+`)
	bearerToken = regexp.MustCompile(`(?i)\b(bearer|basic|negotiate)[ \t]+[A-Za-z0-9._~+/=-]{6,}`)
	webToken    = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?`)
)

// Text returns text as it may be kept: a log of Envoy, the output of curl, or anything else made of lines.
func Text(text string) string {
	if strings.Contains(text, "PRIVATE KEY") {
		text = privateKey.ReplaceAllString(text, Mask)
	}
	text = envoyHeader.ReplaceAllStringFunc(text, func(line string) string {
		m := envoyHeader.FindStringSubmatch(line)
		return m[1] + m[2] + m[3] + Header(m[2], m[4]) + m[5]
	})
	text = curlHeader.ReplaceAllStringFunc(text, func(line string) string {
		m := curlHeader.FindStringSubmatch(line)
		if !SecretHeader(m[2]) {
			return line
		}
		if strings.HasSuffix(m[1], "[") {
			return m[1] + m[2] + m[3] + Mask + "]"
		}
		return m[1] + m[2] + m[3] + Mask
	})
	return inline(text)
}

// inline masks secrets that are recognised by their own form, wherever they stand.
func inline(text string) string {
	text = queryToken.ReplaceAllString(text, "${1}"+Mask)
	text = bearerToken.ReplaceAllString(text, "$1 "+Mask)
	return webToken.ReplaceAllString(text, Mask)
}

// Printable returns text without anything that could command a terminal: control characters except tab and newline,
// and bytes that are not UTF-8, become visible.
func Printable(text string) string {
	clean := func(r rune) bool { return r == '\t' || r == '\n' || (r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f)) }
	if utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !clean(r) }) < 0 {
		return text
	}
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if (r == utf8.RuneError && size == 1) || !clean(r) {
			for _, c := range []byte(text[i : i+size]) {
				b.WriteString(`\x` + string(digits[c>>4]) + string(digits[c&15]))
			}
		} else {
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	return b.String()
}
