package trace

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flowproof/lab/internal/redact"
)

// HTTP is the head of an HTTP/1 message in clear text, as far as it was captured, or the preface of
// HTTP/2. Only these headers are kept.
type HTTP struct {
	Line      string `json:"line"` // request line or status line, redacted
	Status    int    `json:"status,omitempty"`
	RequestID string `json:"requestId,omitempty"` // x-request-id
	Host      string `json:"host,omitempty"`
	ClientURI string `json:"clientUri,omitempty"` // URI of x-forwarded-client-cert's last element
	Codec     string `json:"codec"`               // http1 or http2
	// Headers of a request, each as name: value, where the head was captured to its end.
	Headers []string `json:"headers,omitempty"`
}

// Request says whether it is a request's head.
func (h *HTTP) Request() bool { return h != nil && h.Status == 0 }

// maxLine bounds what is kept of a line, mostHeaders how many headers of a request are kept.
const (
	maxLine     = 300
	mostHeaders = 64
)

// ParseHTTP reads the head of a message from the first bytes of a read or write: ok is false for
// anything else, such as a body.
func ParseHTTP(b []byte) (h HTTP, ok bool) {
	if bytes.HasPrefix(b, []byte("PRI * HTTP/2.0\r\n")) {
		return HTTP{Line: "PRI * HTTP/2.0", Codec: "http2"}, true
	}
	line, rest, found := strings.Cut(string(b), "\r\n")
	if !found {
		return h, false
	}
	h.Codec = "http1"
	switch words := strings.SplitN(line, " ", 3); {
	case strings.HasPrefix(line, "HTTP/1.") && len(words) >= 2:
		status, err := strconv.Atoi(words[1])
		if err != nil || status < 100 || status > 999 {
			return h, false
		}
		h.Status = status
	case len(words) == 3 && strings.HasPrefix(words[2], "HTTP/1.") && isMethod(words[0]):
	default:
		return h, false
	}
	h.Line = keep(line)
	head, _, whole := strings.Cut("\r\n"+rest, "\r\n\r\n")
	for header := range strings.SplitSeq(strings.TrimPrefix(head, "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(header, ":")
		name, value = strings.ToLower(name), strings.TrimSpace(value)
		if whole && h.Request() && name != "" && name != "host" && len(h.Headers) < mostHeaders {
			h.Headers = append(h.Headers, redact.Printable(name+": "+redact.Header(name, value)))
		}
		switch name {
		case "x-request-id":
			h.RequestID = keep(value)
		case "host":
			h.Host = keep(value)
		case "x-forwarded-client-cert":
			h.ClientURI = keep(clientURI(value))
		}
	}
	return h, true
}

// isMethod says whether a word is a method: capital letters, as all registered ones are.
func isMethod(word string) bool {
	return word != "" && len(word) <= 20 && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// keep is text as it may be kept. A long one is cut where no character and no mark of what was
// hidden is cut in two: what is kept is read again as it was written.
func keep(text string) string {
	text = redact.Printable(redact.Text(text))
	if len(text) <= maxLine {
		return text
	}
	end := maxLine
	for !utf8.RuneStart(text[end]) {
		end--
	}
	if begin := strings.LastIndex(text[:end], "«"); begin > strings.LastIndex(text[:end], "»") {
		end = begin
	}
	return text[:end]
}

// clientURI is the URI of the nearest client: in the last element of the header.
func clientURI(value string) string {
	last := value[strings.LastIndexByte(value, ',')+1:]
	for pair := range strings.SplitSeq(last, ";") {
		if name, uri, ok := strings.Cut(pair, "="); ok && strings.EqualFold(strings.TrimSpace(name), "uri") {
			return strings.Trim(uri, `"`)
		}
	}
	return ""
}
