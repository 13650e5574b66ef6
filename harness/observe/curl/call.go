package curl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/flowproof/lab/harness/flow"
)

// Apply tells a call what options of curl's say of its method, headers and data, as curl(1) has it.
// read reads a file that an option names, as -d @FILE does; nil: data of files are not looked at.
// Options that say nothing of these are left alone.
func Apply(options []Option, call *flow.Call, read func(name string) ([]byte, error)) error {
	method, implied, inURL := "", "", false
	headers := 0
	for _, o := range options {
		switch o.Name {
		case "-X", "request":
			method = o.Value
		case "-I", "head":
			implied = "HEAD"
		case "-T", "upload-file":
			implied = "PUT"
		case "-G", "get":
			implied, inURL = "GET", true
		case "-F", "form", "form-string", "json", "data-urlencode", "data-ascii", "data-raw", "data-binary":
			implied = cmp.Or(implied, "POST")
		case "-d", "data":
			implied = cmp.Or(implied, "POST")
			if err := addData(call, o.Value, read); err != nil {
				return err
			}
		case "-H", "header":
			if headers++; !addHeader(call, o.Value) {
				return fmt.Errorf("read header %d of the request: it has to be \"name: value\", or \"name;\" for an "+
					"empty one, or \"name:\" for one that is not sent", headers)
			}
		case "-b", "cookie":
			if strings.Contains(o.Value, "=") { // else it names a file of cookies
				call.Headers.Add("cookie", o.Value)
			}
		case "-e", "referer":
			if referer, _, _ := strings.Cut(o.Value, ";auto"); referer != "" {
				call.Headers.Add("referer", referer)
			}
		}
	}
	if inURL && call.Body != nil {
		separator := "?"
		if strings.Contains(call.URL, "?") {
			separator = "&"
		}
		call.URL, call.Body = call.URL+separator+string(call.Body), nil
	}
	call.Method = cmp.Or(method, implied, call.Method)
	if !httpguts.ValidHeaderFieldName(cmp.Or(call.Method, "GET")) { // both are a token (RFC 9110, 5.6.2)
		return fmt.Errorf("read method %q: it is no token (GET, POST, or another word without blanks and separators)",
			call.Method)
	}
	return nil
}

// Protocol is the version of HTTP that options of curl's make it speak in clear text, by its name
// in a request of inference: http2, http1.0; "" where they leave it at HTTP/1.1. --http2 alone only
// asks for an upgrade.
func Protocol(options []Option) string {
	protocol := ""
	for _, o := range options {
		switch o.Name {
		case "http2-prior-knowledge":
			protocol = "http2"
		case "-0", "http1.0":
			protocol = "http1.0"
		case "http1.1", "http2":
			protocol = ""
		}
	}
	return protocol
}

// addHeader takes a header as curl does: "name: value"; "name;" is one with an empty value, "name:"
// one that is not sent, and "@FILE" names a file of them, which is not looked at. Of another text
// curl sends something else than was meant, or nothing, so it is refused.
func addHeader(call *flow.Call, text string) bool {
	name, value, ok := strings.Cut(text, ":")
	value = strings.TrimSpace(value)
	empty, found := strings.CutSuffix(strings.TrimSpace(text), ";")
	switch {
	case strings.HasPrefix(text, "@"):
		return true
	case found && !ok:
		name = empty
	case !ok || !httpguts.ValidHeaderFieldName(name):
		return false
	case value == "":
		return true
	}
	call.Headers.Add(name, value)
	return true
}

// addData adds to a call's body as curl's --data does: several are joined by &, and of a file the
// ends of lines are left out.
func addData(call *flow.Call, value string, read func(string) ([]byte, error)) error {
	data := []byte(value)
	if name, ok := strings.CutPrefix(value, "@"); ok {
		if read == nil {
			return nil
		}
		text, err := read(name)
		if err != nil {
			return fmt.Errorf("read the data of the request: %w", err)
		}
		data = withoutLineEnds(text)
	}
	if call.Body == nil {
		call.Body = data
		return nil
	}
	call.Body = append(append(call.Body, '&'), data...)
	return nil
}

func withoutLineEnds(text []byte) []byte {
	return slices.DeleteFunc(slices.Clone(text), func(b byte) bool { return b == '\r' || b == '\n' || b == 0 })
}
