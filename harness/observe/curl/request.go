package curl

import (
	"strings"

	"github.com/flowproof/lab/internal/redact"
)

// A Request is what curl said that it sent, in the lines that -v begins with ">".
type Request struct {
	Method string
	Target string // as in the request line: the path with the query
	// names in lower case, values without secrets; of several with one name the values in order, by
	// ", "
	Headers map[string]string
	ended   bool
}

// Sent says whether curl told of a request at all: it tells of none where it came to no connection.
func (r Request) Sent() bool { return r.Method != "" }

// maxHeaders bounds how many headers are kept.
const maxHeaders = 1000

// read reads one line, without its mark.
func (r *Request) read(text string) {
	switch {
	case r.ended:
	case text == "":
		r.ended = r.Sent()
	case !r.Sent():
		if words := strings.Split(text, " "); len(words) == 3 && strings.HasPrefix(words[2], "HTTP/") {
			r.Method, r.Target, r.Headers = redact.Printable(words[0]), redact.Printable(redact.Text(words[1])),
				map[string]string{}
		}
	default:
		name, value, ok := strings.Cut(text, ":")
		if !ok || len(r.Headers) >= maxHeaders {
			return
		}
		name = strings.ToLower(name)
		value = redact.Header(name, strings.TrimSpace(value))
		if earlier, twice := r.Headers[name]; twice {
			value = earlier + ", " + value
		}
		r.Headers[name] = value
	}
}
