package curl

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestApplyIsWhatCurlSends has the machine's own curl send calls with arguments of a person's, and
// holds what arrives against what inference is told of them.
func TestApplyIsWhatCurlSends(t *testing.T) {
	needCurl(t)
	var got *http.Request
	var body []byte
	times := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		times++
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("a b\r\nc&d\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		call flow.Call
		args []string
	}{
		{flow.Call{Method: "GET"}, nil},
		{flow.Call{Method: "GET", Body: []byte("x")}, nil},
		{flow.Call{Method: "HEAD"}, nil},
		{flow.Call{Method: "POST"}, nil},
		{flow.Call{Method: "POST", Body: []byte("a=b")}, []string{"-G"}},
		{flow.Call{Method: "PUT", Body: []byte("a=b")}, []string{"-d", "c"}},
		{flow.Call{Method: "GET"}, []string{"-d", "a", "-d@" + file, "-d", "b"}},
		{flow.Call{Method: "GET"}, []string{"--data-binary", "@" + file}},
		{flow.Call{Method: "GET"}, []string{"--data-raw", "@a"}},
		{flow.Call{Method: "GET"}, []string{"--json", `{"a":1}`, "--json", "2"}},
		{flow.Call{Method: "GET"}, []string{"--data-urlencode", "a=b-c", "--data-urlencode", "=x", "-G"}},
		{flow.Call{Method: "GET"}, []string{"--data-urlencode", "n=b", "--data-urlencode", "a", "-d", "c d"}},
		{flow.Call{Method: "GET"}, []string{"-u", "a:b"}},
		{flow.Call{Method: "GET"}, []string{"-u", "a:b", "-H", "authorization: mine"}},
		{flow.Call{Method: "GET"}, []string{"--oauth2-bearer", "t"}},
		{flow.Call{Method: "GET"}, []string{"-r", "0-9", "-A", "mine", "-e", "http://a/", "-b", "c=d"}},
		{flow.Call{Method: "GET"}, []string{"-I"}},
		{flow.Call{Method: "GET"}, []string{"-I", "-G", "-d", "a=b"}},
		{flow.Call{Method: "GET"}, []string{"-G", "-I", "-d", "a=b"}},
		{flow.Call{Method: "GET"}, []string{"-u", "a:b", "-u", "c:d", "-r", "0-9", "-r", "5-6", "-A", "x", "-A", "y"}},
		{flow.Call{Method: "GET"}, []string{"-T", file}},
		{flow.Call{Method: "GET", URL: "/a/"}, []string{"-T", file}},
		{flow.Call{Method: "GET", URL: "/a/?q=1"}, []string{"-T", file}},
		{flow.Call{Method: "GET", URL: "/?q=1"}, []string{"-G", "-d", "a=b"}},
		{flow.Call{Method: "GET"}, []string{"--url-query", "a=b", "--url-query", "+c=%20"}},
		{flow.Call{Method: "GET"}, []string{"--request-target", "/other?q"}},
		{flow.Call{Method: "GET", URL: "/a?b"}, []string{"--request-target", "/"}},
		{flow.Call{Method: "GET"}, []string{"-u", "a"}},
		{flow.Call{Method: "GET"}, []string{"-u", ""}},
		{flow.Call{Method: "GET"}, []string{"-u", "a:b", "--oauth2-bearer", "t"}},
		{flow.Call{Method: "GET"}, []string{"-u", "a:b", "-r", "0-9", "-A", "x", "-e", "http://a/", "-b", "c=d",
			"-H", "Authorization:", "-H", "range:", "-H", "user-agent: ", "-H", "referer:", "-H", "cookie:"}},
		{flow.Call{Method: "GET"}, []string{"-r", "0-9", "-e", "http://a/", "-b", "c=d",
			"-H", "range: bytes=1-2", "-H", "referer: http://b/", "-H", "cookie: x=y"}},
		{flow.Call{Method: "GET"}, []string{"-e", "http://a/", "-e", "http://b/", "-b", "c=d", "-b", "e=f"}},
		{flow.Call{Method: "GET"}, []string{"-sSL", "--retry", "3", "--retry-all-errors", "--location"}},
	} {
		name := tt.call.Method + " " + strings.Join(tt.args, " ")
		tt.call.URL = server.URL + cmp.Or(tt.call.URL, "/p")
		got, body, times = nil, nil, 0
		if out, err := sentByCurl(t, tt.call, tt.args); err != nil || got == nil {
			t.Errorf("%s: %v\n%s", name, err, out)
			continue
		}
		options, err := Options(tt.args)
		if err == nil {
			err = Apply(options, &tt.call, os.ReadFile)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if times != 1 {
			t.Errorf("%s: %d requests were sent", name, times)
		}
		if url := server.URL + got.URL.RequestURI(); tt.call.Method != got.Method || tt.call.URL != url {
			t.Errorf("%s: told %s %s, sent %s %s", name, tt.call.Method, tt.call.URL, got.Method, url)
		}
		if uploads := slices.ContainsFunc(options, named("-T")); !uploads && string(body) != string(tt.call.Body) {
			t.Errorf("%s: told the body %q, sent %q", name, tt.call.Body, body)
		}
		for header := range tt.call.Headers {
			if told, sent := tt.call.Headers.Get(header), got.Header.Get(header); told != sent {
				t.Errorf("%s: told %s: %s, sent %q", name, header, told, sent)
			}
		}
		for _, header := range []string{"authorization", "range", "referer", "cookie"} {
			if sent := got.Header.Get(header); sent != "" && len(tt.call.Headers[header]) == 0 {
				t.Errorf("%s: sent %s: %s, and was told nothing of it", name, header, sent)
			}
		}
	}
}

// sentByCurl has the machine's own curl send a call with arguments of a person's, and returns what
// it wrote.
func sentByCurl(t *testing.T, call flow.Call, args []string) ([]byte, error) {
	t.Helper()
	command, err := Send(call, 1, args...)
	if err != nil {
		return nil, err
	}
	run := exec.CommandContext(t.Context(), command.Line[0], command.Line[1:]...)
	run.Stdin = bytes.NewReader(command.Input)
	return run.CombinedOutput()
}
