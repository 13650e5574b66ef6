package curl

import (
	"errors"
	"path"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// errEncoded says of data for the URL that it is not known how it is written there.
var errEncoded = errors.New("read the data of the request: each version of curl encodes it, or the name of a " +
	"file, for a URL in its own way (write it into the URL, encoded)")

// errTarget says that inference follows no other target than a path.
var errTarget = errors.New("read the target of the request: --request-target has to be a path here, such as /a?b " +
	"(leave it out, or write the path into the URL)")

// applyToURL tells the call's URL what options of curl's make of it: the file that is uploaded gets
// its name where the URL ends in a slash, a query is added, and another target takes the place of
// the path. Source: curl(1), --upload-file, --url-query and --request-target.
func applyToURL(options []Option, call *flow.Call) error {
	target := ""
	for _, o := range options {
		switch o.Name {
		case "-T", "upload-file":
			to, known := uploadTo(call.URL, o.Value)
			if !known {
				return errEncoded
			}
			call.URL = to
		case "url-query":
			value, raw := strings.CutPrefix(o.Value, "+")
			if !raw && changing.MatchString(value) {
				return errEncoded
			}
			call.URL = withQuery(call.URL, value)
		case "request-target":
			target = o.Value
		}
	}
	if target == "" {
		return nil
	}
	if !strings.HasPrefix(target, "/") || strings.Contains(target, "#") {
		return errTarget
	}
	scheme, rest, _ := strings.Cut(call.URL, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	call.URL = scheme + "://" + rest + target
	return nil
}

// plainName is a name that every curl writes into a URL as it is.
var plainName = lazyregexp.New(`^[A-Za-z0-9._~-]+$`)

// uploadTo is the URL that a file is uploaded to, where it is known.
func uploadTo(text, file string) (to string, known bool) {
	if file == "" || file == "-" || file == "." {
		return text, true
	}
	text, _, _ = strings.Cut(text, "#")
	front, query, asked := strings.Cut(text, "?")
	_, rest, ok := strings.Cut(front, "://")
	if !ok {
		return text, true
	}
	switch {
	case !strings.Contains(rest, "/"):
		front += "/"
	case !strings.HasSuffix(front, "/"):
		return text, true
	}
	front += path.Base(file)
	if asked {
		front += "?" + query
	}
	return front, plainName.MatchString(path.Base(file))
}

// withQuery is a URL with more of a query.
func withQuery(text, query string) string {
	text, _, _ = strings.Cut(text, "#")
	separator := "?"
	if strings.Contains(text, "?") {
		separator = "&"
	}
	return text + separator + query
}
