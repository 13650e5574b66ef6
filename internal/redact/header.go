package redact

import (
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// Header returns the value of a header as it may be kept: of one that is not on the list its
// length. Of x-forwarded-client-cert the hash, subject and URI stay, and certificates in PEM form
// go: the hash already names them.
func Header(name, value string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	switch {
	case !ShownHeader(name):
		if small.MatchString(value) && !SecretName(name) {
			return value
		}
		return Mark(value)
	case opaque[name]:
		return value
	case name == ":authority" || name == "host" || name == "x-forwarded-host":
		return inline(host(value))
	case name == ":path" || name == "x-envoy-original-path":
		return path(value)
	case name == "x-forwarded-client-cert":
		return forms(xfccCert.ReplaceAllStringFunc(value, func(part string) string {
			before, after, _ := strings.Cut(part, "=")
			return before + `="` + Mark(strings.Trim(after, `"`)) + `"`
		}))
	}
	return inline(value)
}

// host is an authority without what stands before its host.
func host(value string) string {
	at := strings.LastIndexByte(value, '@')
	if at <= 0 || strings.Contains(value, "://") {
		return value
	}
	return Mark(value[:at]) + value[at:]
}

var (
	xfccCert = lazyregexp.New(`(?i)\b(?:Cert|Chain)="[^"]*"`)
	// Envoy prints a header map as one 'name', 'value' per line.
	envoyHeader = lazyregexp.New(`^([ \t]*')(:?[A-Za-z0-9!#$%&*+.^_|~\x60-]+)(', ')(.*)('[ \t\r]*)$`)
	// curl -v prints "> name: value" and "< name: value", and of HTTP/2 "* [HTTP/2]
	// [1] [name: value]".
	curlHeader = lazyregexp.New(`^([<>] )([A-Za-z0-9!#$%&'*+.^_|~\x60-]+)(:[ \t]*)(.*?)([ \t\r]*)$`)
	curlHTTP2  = lazyregexp.New(`^(\* (?:h2h3 |\[HTTP/[0-9.]+\] \[[0-9]+\] |h[23] ` +
		`)\[)(:?[A-Za-z0-9!#$%&'*+.^_|~\x60-]+)(:[ \t]*)([^\r\n]*?)(\][ \t\r]*)$`)
	// curl -v says whom it authenticates as.
	curlUser = lazyregexp.New(`(?m)^(\* .*\bauth using .* with user ')([^'\r\n]*)(')`)
	// curl prints its request line without a colon, and so does every HTTP/1 message.
	requestLine = lazyregexp.New(`(?m)(^|[\s"'\x60>])([A-Z]{3,20} )([^\s"]+)( HTTP/[0-9.]+)`)
)

// header hides the value in a line that is a header in one of the forms in which Envoy and curl
// print them; ok is false for any other line.
func header(line string) (kept string, ok bool) {
	if strings.Contains(line, "', '") {
		if m := envoyHeader.FindStringSubmatch(line); m != nil {
			return m[1] + m[2] + m[3] + Header(m[2], m[4]) + m[5], true
		}
	}
	if len(line) < 2 || !strings.Contains(line, ":") {
		return line, false
	}
	switch line[:2] {
	case "> ", "< ":
		if m := curlHeader.FindStringSubmatch(line); m != nil {
			return m[1] + m[2] + m[3] + Header(m[2], m[4]) + m[5], true
		}
	case "* ":
		if m := curlHTTP2.FindStringSubmatch(line); m != nil {
			return m[1] + m[2] + m[3] + Header(m[2], m[4]) + m[5], true
		}
	}
	return line, false
}

func isHeader(line string) bool {
	_, ok := header(line)
	return ok
}

// requests hides what is secret in request lines, and whom curl says that it authenticates as.
func requests(text string) string {
	if strings.Contains(text, "with user '") {
		text = replace(curlUser, text, func(m []string) string { return m[1] + Mark(m[2]) + m[3] })
	}
	if strings.Contains(text, " HTTP/") {
		text = replace(requestLine, text, func(m []string) string { return m[1] + m[2] + path(m[3]) + m[4] })
	}
	return text
}

// message is the head of an HTTP/1 message in clear text; what follows it is headers up to an empty
// line, and then a body.
var message = lazyregexp.New(`^(?:[A-Z]{3,20} [^\s]+ HTTP/1\.[01]|HTTP/1\.[01] [0-9]{3}[^\r\n]*)\r\n`)

// Message returns an HTTP/1 message, or its beginning, as it may be kept: headers by their names,
// and of the body its length. ok is false for anything else.
func Message(text string) (kept string, ok bool) {
	head := message.FindString(text)
	if head == "" {
		return text, false
	}
	var b strings.Builder
	b.WriteString(requests(head))
	rest := text[len(head):]
	for rest != "" {
		line, after, whole := strings.Cut(rest, "\r\n")
		if line == "" && whole {
			b.WriteString("\r\n" + Mark(after))
			return b.String(), true
		}
		name, value, _ := strings.Cut(line, ":")
		trimmed := strings.TrimLeft(value, " \t")
		if len(line) > len(name) {
			name += ":" + value[:len(value)-len(trimmed)]
		}
		b.WriteString(name + Header(strings.TrimRight(name, ": \t"), trimmed))
		if whole {
			b.WriteString("\r\n")
		}
		rest = after
	}
	return b.String(), true
}
