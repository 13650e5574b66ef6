package curl

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// Apply tells a call what options of curl's say of its method, headers and data, as curl(1) has it.
// read reads a file that an option names, as -d @FILE does; nil: data of files are not looked at.
// Options that say nothing of these are left alone.
func Apply(options []Option, call *flow.Call, read func(name string) ([]byte, error)) error {
	method, implied, inURL := requested(*call), "", false
	headers, recoded := 0, false
	for _, o := range options {
		switch o.Name {
		case "-X", "request":
			method = o.Value
		case "-I", "head":
			implied = "HEAD"
		case "-T", "upload-file":
			implied = "PUT"
		case "-G", "get":
			inURL = true
			if implied != "HEAD" {
				implied = "GET"
			}
		case "-F", "form", "form-string":
			implied = cmp.Or(implied, "POST")
		case "-d", "data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "json":
			implied = cmp.Or(implied, "POST")
			recoded = recoded || o.Name == "data-urlencode" && changing.MatchString(o.Value)
			if err := addData(call, o, read); err != nil {
				return err
			}
		case "-H", "header":
			if headers++; !addHeader(call, o.Value) {
				return fmt.Errorf("read header %d of the request: it has to be \"name: value\", or \"name;\" for an "+
					"empty one, or \"name:\" for one that is not sent", headers)
			}
			if name, value, ok := strings.Cut(o.Value, ":"); ok && strings.TrimSpace(value) == "" {
				call.Without = append(slices.Clone(call.Without), strings.ToLower(name))
			}
		}
	}
	for name, value := range impliedHeaders(options) {
		if value != "" && len(call.Headers[name]) == 0 && !slices.Contains(call.Without, name) {
			call.Headers.Add(name, value)
		}
	}
	if inURL && call.Body != nil {
		if recoded {
			return errEncoded
		}
		call.URL, call.Body = withQuery(call.URL, string(call.Body)), nil
	}
	if err := applyToURL(options, call); err != nil {
		return err
	}
	call.Method = cmp.Or(method, implied, call.Method)
	if call.Method == "CONNECT" {
		return errors.New("read method CONNECT: with it curl sends a path where an authority has to stand, which " +
			"every Envoy refuses (`lab infer --method CONNECT` infers the way of one that is well formed)")
	}
	if !httpguts.ValidHeaderFieldName(cmp.Or(call.Method, "GET")) { // both are a token (RFC 9110, 5.6.2)
		return fmt.Errorf("read method %q: it is no token (GET, POST, or another word without blanks and separators)",
			call.Method)
	}
	return nil
}

// requested is the method that curl is told by its name; "": it is left to curl. POST is curl's own
// for a body, and --get takes it back.
func requested(call flow.Call) string {
	switch {
	case call.Method == "" || call.Method == "GET" && call.Body == nil, call.Method == "HEAD" && call.Body == nil,
		call.Method == "POST" && call.Body != nil:
		return ""
	}
	return call.Method
}

// impliedHeaders are the headers that options other than --header make curl send, each of one
// value; "": it is not sent. One that is given by --header stands in its place. Of an option that
// is given again the last value counts, but for cookies, and a token counts more than a user.
func impliedHeaders(options []Option) map[string]string {
	implied, cookies, token := map[string]string{}, []string(nil), ""
	for _, o := range options {
		switch o.Name {
		case "-u", "user":
			user := o.Value
			if !strings.Contains(user, ":") {
				user += ":" // there is no terminal that curl could ask for the password
			}
			implied["authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(user))
		case "oauth2-bearer":
			token = "Bearer " + o.Value
		case "-r", "range":
			implied["range"] = "bytes=" + o.Value
		case "-A", "user-agent":
			implied["user-agent"] = o.Value
		case "-b", "cookie":
			if strings.Contains(o.Value, "=") { // else it names a file of cookies
				cookies = append(cookies, o.Value)
			}
		case "-e", "referer":
			implied["referer"], _, _ = strings.Cut(o.Value, ";auto")
		}
	}
	implied["cookie"] = strings.Join(cookies, ";")
	implied["authorization"] = cmp.Or(token, implied["authorization"])
	return implied
}

// userOf are a user and a password in a URL, as the option that says the same. An option that is
// given counts more; source: curl(1), --user.
func userOf(text string) []Option {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return nil
	}
	password, _ := u.User.Password()
	return []Option{{Name: "user", Value: u.User.Username() + ":" + password, Valued: true}}
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

// addData adds to a call's body as curl's --data and its kin do: all but those of --json are joined
// by &, and of a file the ends of lines are left out, but for --data-binary and --json.
func addData(call *flow.Call, o Option, read func(string) ([]byte, error)) error {
	data, prefix := []byte(o.Value), ""
	name, ok := strings.CutPrefix(o.Value, "@")
	switch o.Name {
	case "data-raw":
		ok = false
	case "data-urlencode":
		at := strings.IndexAny(o.Value, "=@")
		if ok = at >= 0 && o.Value[at] == '@'; at > 0 {
			prefix = o.Value[:at] + "="
		}
		data, name = []byte(o.Value[at+1:]), o.Value[at+1:]
	}
	if ok {
		if read == nil {
			return nil
		}
		text, err := read(name)
		if err != nil {
			return fmt.Errorf("read the data of the request: %w", err)
		}
		data = text
		if o.Name != "data-binary" && o.Name != "json" && o.Name != "data-urlencode" {
			data = withoutLineEnds(text)
		}
	}
	if o.Name == "data-urlencode" {
		data = []byte(prefix + url.QueryEscape(string(data)))
	}
	switch {
	case call.Body == nil:
		call.Body = data
	case o.Name == "json":
		call.Body = append(call.Body, data...)
	default:
		call.Body = append(append(call.Body, '&'), data...)
	}
	return nil
}

// changing is data that curl does not write into a URL as it is.
var changing = lazyregexp.New(`^[^=]*@|[^A-Za-z0-9._~=-]|=.*=`)

func withoutLineEnds(text []byte) []byte {
	return slices.DeleteFunc(slices.Clone(text), func(b byte) bool { return b == '\r' || b == '\n' || b == 0 })
}
