package curl

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/lazyregexp"
	"github.com/flowproof/lab/internal/redact"
)

// A Version is what a curl says of itself.
type Version struct {
	Number    string   // such as 8.14.1
	Encodings []string // of bodies that it can decode, in the order in which --compressed names them
}

// VersionCommand has curl say its version. It reads no configuration of a user.
var VersionCommand = []string{"curl", "-q", "--version"}

// versionLine begins what curl says of its version.
var versionLine = lazyregexp.New(`\Acurl ([0-9][0-9A-Za-z.-]*) `)

// ParseVersion reads what VersionCommand prints.
func ParseVersion(text []byte) (Version, error) {
	found := versionLine.FindSubmatch(text)
	if found == nil {
		return Version{}, fmt.Errorf("read version of curl: it begins with no \"curl NUMBER\"")
	}
	v := Version{Number: string(found[1])}
	for line := range bytes.Lines(text) {
		features, ok := strings.CutPrefix(string(line), "Features:")
		if !ok {
			continue
		}
		has := strings.Fields(features)
		for _, e := range []struct{ feature, name string }{
			{"libz", "deflate"}, {"libz", "gzip"}, {"brotli", "br"}, {"zstd", "zstd"},
		} { // Curl_all_content_encodings
			if slices.Contains(has, e.feature) {
				v.Encodings = append(v.Encodings, e.name)
			}
		}
	}
	return v, nil
}

// Own are the headers that a curl sends with a call by itself, beside those that the call has: of
// its program, of data and of options. unknown are names of those that it may send with a value
// that is not known here, "*" for any: of files that are not looked at, of a version that was not
// read (the zero Version), or such as curl makes up. Apply has told call of the options before.
// Source: curl(1), and what curls of several versions send.
func Own(options []Option, call flow.Call, version Version) (own flow.Headers, unknown []string) {
	o := ownHeaders{call: call, own: flow.Headers{}}
	o.program(options, version)
	o.data(options)
	for _, user := range userOf(call.URL) {
		o.send("authorization", impliedHeaders([]Option{user})["authorization"])
	}
	for _, option := range options {
		o.option(option, version)
	}
	if slices.Contains(o.unknown, "*") { // what may be any header may be one of curl's own
		return flow.Headers{}, []string{"*"}
	}
	slices.Sort(o.unknown)
	return o.own, slices.Compact(o.unknown)
}

// ownHeaders are the headers of Own while they are gathered.
type ownHeaders struct {
	call    flow.Call
	own     flow.Headers
	unknown []string
}

// given says whether the call decides about a header: it has it, or says that it is not sent.
func (o *ownHeaders) given(name string) bool {
	return len(o.call.Headers[name]) > 0 || slices.Contains(o.call.Without, name)
}

// send notes a header that is sent where the call does not decide about it.
func (o *ownHeaders) send(name, value string) {
	if !o.given(name) {
		o.own[name] = []string{value}
	}
}

// open notes headers of which nothing more is known.
func (o *ownHeaders) open(names ...string) {
	for _, name := range names {
		if !o.given(name) {
			delete(o.own, name)
			o.unknown = append(o.unknown, name)
		}
	}
}

// program are the headers that curl sends with every request.
func (o *ownHeaders) program(options []Option, version Version) {
	agent := slices.ContainsFunc(options, named("-A", "user-agent"))
	switch {
	case agent: // what it says is a header of the call, and none where it is empty
	case version.Number == "":
		o.open("user-agent")
	default:
		o.send("user-agent", "curl/"+version.Number)
	}
	o.send("accept", "*/*")
}

// most of a body is sent by every curl without asking first; least is what every curl asks for
// first. Source: EXPECT_100_THRESHOLD, which was 1024 bytes once and is 1 MiB now.
const (
	mostUnasked = 1024
	leastAsked  = 1 << 20
)

// data are the headers that tell of a body.
func (o *ownHeaders) data(options []Option) {
	inURL := slices.ContainsFunc(options, named("-G", "get"))
	sent := o.call.Body != nil
	for _, option := range options {
		switch {
		case named("-F", "form", "form-string")(option):
			o.open("content-type", "content-length", "transfer-encoding", "expect") // curl makes up the boundary
			return
		case named("-T", "upload-file")(option):
			o.open("content-length", "transfer-encoding", "expect")
			return
		case ofFile(option) && !inURL:
			o.send("content-type", "application/x-www-form-urlencoded")
			o.open("content-length", "expect")
			sent = false
		}
	}
	if !sent {
		return
	}
	o.send("content-type", "application/x-www-form-urlencoded")
	if strings.EqualFold(o.call.Headers.Get("transfer-encoding"), "chunked") {
		o.open("expect")
		return
	}
	o.send("content-length", strconv.Itoa(len(o.call.Body)))
	if size := len(o.call.Body); size > leastAsked {
		o.send("expect", "100-continue")
	} else if size > mostUnasked {
		o.open("expect")
	}
}

// ofFile says whether an option has curl read data from a file, in the container.
func ofFile(o Option) bool {
	switch o.Name {
	case "-d", "data", "data-ascii", "data-binary", "json":
		return strings.HasPrefix(o.Value, "@")
	case "data-urlencode":
		at := strings.IndexAny(o.Value, "=@")
		return at >= 0 && o.Value[at] == '@'
	}
	return false
}

// option are the headers that one option makes curl send.
func (o *ownHeaders) option(option Option, version Version) {
	switch option.Name {
	case "json":
		o.send("content-type", "application/json")
		o.send("accept", "application/json")
	case "compressed":
		if version.Number == "" {
			o.open("accept-encoding")
		} else if len(version.Encodings) > 0 {
			o.send("accept-encoding", strings.Join(version.Encodings, ", "))
		}
	case "http2":
		o.open("connection", "upgrade", "http2-settings") // clear text: it asks for an upgrade
	case "tr-encoding":
		o.open("connection", "te")
	case "-z", "time-cond":
		o.open("if-modified-since", "if-unmodified-since")
	case "etag-compare":
		o.open("if-none-match")
	case "-C", "continue-at":
		o.open("range", "content-range")
	case "-n", "netrc", "netrc-optional", "netrc-file":
		o.open("authorization")
	case "-b", "cookie":
		if !strings.Contains(option.Value, "=") { // a file of cookies
			o.open("cookie")
		}
	case "-H", "header":
		if strings.HasPrefix(option.Value, "@") {
			o.open("*")
		}
	case "aws-sigv4":
		o.open("*")
	}
}

// named finds options by their names.
func named(names ...string) func(Option) bool {
	return func(o Option) bool { return slices.Contains(names, o.Name) }
}

// Untold says in which headers the request that curl says it sent is another one than the call,
// which inference was told. Where curl says nothing, as without a connection, or Own was not asked
// for, there is nothing to compare.
func Untold(call flow.Call, sent Request) []string {
	if !sent.Sent() || call.Own == nil {
		return nil
	}
	told := maps.Clone(call.Own)
	maps.Copy(told, call.Headers)
	delete(told, "host")
	delete(told, "x-request-id")
	var all []string
	for _, name := range slices.Sorted(maps.Keys(told)) {
		want, have := Joined(name, told[name]), sent.Headers[name]
		if want != have && !redact.Fits(want, have) && !redact.Fits(have, want) {
			all = append(all, fmt.Sprintf("curl sent the header %s as %q, and inference was told %q", name, have, want))
		}
	}
	if slices.Contains(call.Unknown, "*") {
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(sent.Headers)) {
		if name != "host" && name != "x-request-id" && told[name] == nil && !slices.Contains(call.Unknown, name) {
			all = append(all, fmt.Sprintf("curl sent the header %s as %q, and inference was not told of it", name,
				sent.Headers[name]))
		}
	}
	return all
}

// Joined are the values of a header as a Request has them.
func Joined(name string, values []string) string {
	var all []string
	for _, value := range values {
		all = append(all, redact.Header(name, value))
	}
	return strings.Join(all, ", ")
}
