package curl

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// needCurl says why a test that runs the machine's own curl is skipped.
func needCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("there is no curl on this machine")
	}
}

// TestCommandLineHoldsNothing holds the command line to what is in none of a request's parts, and
// curl itself to sending exactly what the call says, with any text in it.
func TestCommandLineHoldsNothing(t *testing.T) {
	needCurl(t)
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	nasty := `q"uo\te 'x' $HOME # {a,b} [1-3] ` + "\ttab ✓"
	for _, tc := range []struct {
		name    string
		call    flow.Call
		args    []string
		method  string
		uri     string
		headers map[string]string
		body    string
	}{
		{"a GET", flow.Call{URL: "/echo?token=S3cret-1"}, nil, "GET", "/echo?token=S3cret-1", nil, ""},
		{"brackets and braces are no list", flow.Call{URL: "/[1-3]{a,b}?x=[9]"}, nil, "GET",
			"/[1-3]{a,b}?x=[9]", nil, ""},
		{"dots stay", flow.Call{URL: "/a/../b/./c"}, nil, "GET", "/a/../b/./c", nil, ""},
		{"a header with every hard character",
			flow.Call{URL: "/", Headers: flow.Headers{"x-a": {strings.TrimSpace(nasty)}}}, nil,
			"GET", "/", map[string]string{"x-a": strings.TrimSpace(nasty)}, ""},
		{"an empty header", flow.Call{URL: "/", Headers: flow.Headers{"x-empty": {""}}}, nil, "GET", "/",
			map[string]string{"x-empty": ""}, ""},
		{"a method", flow.Call{URL: "/", Method: "DELETE"}, nil, "DELETE", "/", nil, ""},
		{"a body", flow.Call{URL: "/", Method: "POST"}, []string{"-d", "password=S3cret-2&a=" + nasty + "\nsecond"},
			"POST", "/", nil, "password=S3cret-2&a=" + nasty + "\nsecond"},
		{"an empty body", flow.Call{URL: "/", Method: "POST"}, []string{"--data", ""}, "POST", "/", nil, ""},
		{"a body that begins with a dash", flow.Call{URL: "/", Method: "POST"},
			[]string{"--data-raw", "-S3cret-3"}, "POST", "/", nil, "-S3cret-3"},
		{"letters together", flow.Call{URL: "/"}, []string{"-skXPUT", "-Hx-b: S3cret-4", "-u",
			"user:S3cret-5"}, "PUT", "/",
			map[string]string{"x-b": "S3cret-4", "authorization": "Basic dXNlcjpTM2NyZXQtNQ=="}, ""},
		{"a request id", flow.Call{URL: "/", RequestID: "6f1d3c52-8a5b-4e0b-9d11-0c0ffee00001"}, nil, "GET", "/",
			map[string]string{"x-request-id": "6f1d3c52-8a5b-4e0b-9d11-0c0ffee00001"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.call.URL = server.URL + tc.call.URL
			command, err := Send(tc.call, 1, tc.args...)
			if err != nil {
				t.Fatal(err)
			}
			if line := strings.Join(command.Line, " "); strings.Contains(line, "S3cret") ||
				strings.Contains(line, server.URL) {
				t.Errorf("the command line says %q", line)
			}
			run := exec.Command(command.Line[0], command.Line[1:]...)
			run.Stdin = bytes.NewReader(command.Input)
			got = nil
			said, err := run.CombinedOutput()
			if err != nil || got == nil {
				t.Fatalf("%v: %s", err, said)
			}
			if got.Method != tc.method || got.RequestURI != tc.uri || string(body) != tc.body {
				t.Errorf("arrived %s %s with %q", got.Method, got.RequestURI, body)
			}
			for _, name := range slices.Sorted(maps.Keys(tc.headers)) {
				if values, ok := got.Header[http.CanonicalHeaderKey(name)]; !ok || values[0] != tc.headers[name] {
					t.Errorf("header %s arrived as %q, want %q", name, values, tc.headers[name])
				}
			}
			if result, err := Parse(said); err != nil || result.Status != 200 || !result.Whole {
				t.Errorf("told %+v, %v", result, err)
			}
		})
	}
}

func TestSendRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		call flow.Call
		args []string
		want string
	}{
		{"a second URL", flow.Call{}, []string{"-s", "http://S3cret/"}, "argument 2 of curl's: it is no option"},
		{"a second URL by its option", flow.Call{}, []string{"--url", "http://S3cret/"}, "a second request"},
		{"an option without its value", flow.Call{}, []string{"-s", "-H"}, "-H has no value"},
		{"a body from standard input", flow.Call{}, []string{"-d", "@-"}, "standard input is taken"},
		{"a configuration from standard input", flow.Call{}, []string{"-K-"}, "standard input is taken"},
		{"a configuration", flow.Call{}, []string{"-K", "S3cret"}, "is not known (give its options themselves)"},
		{"a proxy", flow.Call{}, []string{"-x", "http://S3cret:1"}, "-x: the request would go another way"},
		{"another host", flow.Call{}, []string{"--connect-to", "::S3cret:1"}, "connect-to: the request would"},
		{"a NUL", flow.Call{}, []string{"--data-raw", "S3cret\x00"}, "NUL byte"},
		{"a body that curl would cut", flow.Call{}, []string{"-d", strings.Repeat("S3cret", 20000)},
			"longer than curl reads"},
		{"a header that is two", flow.Call{Headers: flow.Headers{"a": {"b\r\nS3cret: c"}}}, nil, "line break"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Send(tc.call, 1, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) ||
				strings.Contains(err.Error(), "S3cret") {
				t.Errorf("error %v, want %q and nothing of the request", err, tc.want)
			}
		})
	}
}

// configLine is a line of a configuration from which nothing breaks out.
var configLine = regexp.MustCompile(`^(?:[a-z0-9][a-z0-9.-]*(?: = "(?:[^"\\\n]|\\.)*")?|-[A-Za-z0-9#:](?: ` +
	`"(?:[^"\\\n]|\\.)*")?)\n$`)

// FuzzSend looks for a line of the configuration that a value could have broken out of.
func FuzzSend(f *testing.F) {
	f.Add("--data", "a\"\nurl = \"http://other/")
	f.Add("-H", "x: \\")
	f.Fuzz(func(t *testing.T, option, value string) {
		command, err := Send(flow.Call{URL: "http://a/"}, 1, option, value)
		if err != nil {
			return
		}
		for line := range strings.Lines(string(command.Input)) {
			if !configLine.MatchString(line) {
				t.Errorf("option %q value %q make the line %q", option, value, line)
			}
		}
	})
}

// TestOneRequest refuses options with which curl sends a second request.
func TestOneRequest(t *testing.T) {
	for name := range second {
		args := []string{"--" + name}
		if strings.HasPrefix(name, "-") {
			args[0] = name
		}
		if name == "url" {
			args = append(args, "http://b/")
		}
		_, err := Send(flow.Call{URL: "http://a/"}, 1, args...)
		if err == nil || !strings.Contains(err.Error(), name+": it would send a second request") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
