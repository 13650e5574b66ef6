package curl

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

func TestParseVersion(t *testing.T) {
	for _, c := range []struct {
		text, number string
		encodings    []string
	}{
		{"curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 zlib/1.2.13\nRelease-Date: 2023-02-20\n" +
			"Protocols: http https\nFeatures: alt-svc brotli HTTP2 libz zstd\n", "7.88.1",
			[]string{"deflate", "gzip", "br", "zstd"}},
		{"curl 8.14.1 (aarch64-alpine-linux-musl) libcurl/8.14.1\nFeatures: HTTP2 libz\n", "8.14.1",
			[]string{"deflate", "gzip"}},
		{"curl 8.0.0-DEV (x86_64) libcurl/8.0.0-DEV\n", "8.0.0-DEV", nil},
		{"BusyBox v1.36\ncurl 1 \n", "", nil},
		{"curl \x1b[2J (x) \n", "", nil},
		{"", "", nil},
	} {
		v, err := ParseVersion([]byte(c.text))
		if v.Number != c.number || !slices.Equal(v.Encodings, c.encodings) || (err == nil) != (c.number != "") {
			t.Errorf("%q: %+v, %v", c.text, v, err)
		}
	}
}

// TestOwnIsWhatCurlSends has the machine's own curl send calls, and holds every header that arrives
// against what inference is told: none is missing, none is another one, none is too many.
func TestOwnIsWhatCurlSends(t *testing.T) {
	needCurl(t)
	version := machinesCurl(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("a: b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		call flow.Call
		args []string
		open []string // headers that are not known
	}{
		{flow.Call{}, nil, nil},
		{flow.Call{Headers: flow.Headers{"accept": {"text/html"}, "user-agent": {"mine"}}}, nil, nil},
		{flow.Call{Without: []string{"accept", "user-agent"}}, nil, nil},
		{flow.Call{}, []string{"-H", "Accept:", "-H", "User-Agent:"}, nil},
		{flow.Call{}, []string{"-A", "mine"}, nil},
		{flow.Call{}, []string{"-A", ""}, nil},
		{flow.Call{}, []string{"-H", "x-empty;"}, nil},
		{flow.Call{Method: "HEAD"}, nil, nil},
		{flow.Call{Method: "DELETE"}, nil, nil},
		{flow.Call{Method: "POST"}, nil, nil},
		{flow.Call{Method: "POST", Body: []byte("a=b")}, nil, nil},
		{flow.Call{Method: "POST", Body: []byte{}}, nil, nil},
		{flow.Call{Method: "PUT", Body: []byte("a=b"), Headers: flow.Headers{"content-type": {"text/plain"}}},
			nil, nil},
		{flow.Call{Method: "POST", Body: []byte("a=b")}, []string{"-H", "Content-Type:"}, nil},
		{flow.Call{Method: "POST", Body: bytes.Repeat([]byte("a"), 2000)}, nil, []string{"expect"}},
		{flow.Call{Method: "POST", Body: []byte("a")}, []string{"-H", "Transfer-Encoding: chunked"},
			[]string{"expect"}},
		{flow.Call{Method: "GET", Body: []byte("a=b")}, []string{"-G"}, nil},
		{flow.Call{}, []string{"-d", "a"}, nil},
		{flow.Call{}, []string{"-d", "@" + file}, []string{"content-length", "expect"}},
		{flow.Call{}, []string{"-G", "-d", "a"}, nil},
		{flow.Call{}, []string{"--json", "{}"}, nil},
		{flow.Call{}, []string{"--json", "{}", "-H", "accept: text/html"}, nil},
		{flow.Call{}, []string{"-F", "a=b"}, []string{"content-length", "content-type", "expect", "transfer-encoding"}},
		{flow.Call{}, []string{"-T", file}, []string{"content-length", "expect", "transfer-encoding"}},
		{flow.Call{}, []string{"--compressed"}, nil},
		{flow.Call{}, []string{"--compressed", "-H", "Accept-Encoding: gzip"}, nil},
		{flow.Call{}, []string{"--http2"}, []string{"connection", "http2-settings", "upgrade"}},
		{flow.Call{}, []string{"--http1.0"}, nil},
		{flow.Call{}, []string{"--tr-encoding"}, []string{"connection", "te"}},
		{flow.Call{}, []string{"-z", "2020-01-01"}, []string{"if-modified-since", "if-unmodified-since"}},
		{flow.Call{}, []string{"-C", "5"}, []string{"content-range", "range"}},
		{flow.Call{}, []string{"-H", "@" + file}, []string{"*"}},
		{flow.Call{}, []string{"-u", "a:b", "-e", "http://a/", "-r", "0-9", "-b", "c=d"}, nil},
		{flow.Call{}, []string{"-b", file}, []string{"cookie"}},
		{flow.Call{URL: "http://us%20er:p%40w@HOST/"}, nil, nil},
		{flow.Call{URL: "http://user@HOST/"}, nil, nil},
		{flow.Call{URL: "http://user:pw@HOST/"}, []string{"-u", "c:d"}, nil},
		{flow.Call{URL: "http://user:pw@HOST/"}, []string{"--oauth2-bearer", "t"}, nil},
	} {
		name := c.call.Method + " " + strings.Join(c.args, " ")
		sent := arrived(t, c.call, c.args)
		options, err := Options(c.args)
		if err == nil {
			err = Apply(options, &c.call, nil)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.call.Own, c.call.Unknown = Own(options, c.call, version)
		if !slices.Equal(c.call.Unknown, c.open) {
			t.Errorf("%s: %q is not known, want %q", name, c.call.Unknown, c.open)
		}
		for _, problem := range Untold(c.call, Request{Method: "GET", Headers: sent}) {
			t.Errorf("%s: %s", name, problem)
		}
		if own, unknown := Own(options, c.call, Version{}); len(unknown) < len(c.open) || own["user-agent"] != nil {
			t.Errorf("%s: of an unknown version %v, and %q not known", name, own, unknown)
		}
	}
}

// TestUntold holds that a header which is missing, another one or too many is told.
func TestUntold(t *testing.T) {
	call := flow.Call{Headers: flow.Headers{"x-a": {"1", "2"}, "host": {"other"}},
		Own: flow.Headers{"user-agent": {"curl/8.1.0"}, "accept": {"*/*"}}, Unknown: []string{"range"}}
	all := map[string]string{"host": "h", "x-request-id": "i", "x-a": "1, 2", "user-agent": "curl/8.1.0",
		"accept": "*/*"}
	for _, c := range []struct {
		name, header, value string
		want                string
	}{
		{"as told", "accept", "*/*", ""},
		{"one that is not known", "range", "bytes=1-", ""},
		{"another program", "user-agent", "curl/8.2.0", "curl/8.2.0"},
		{"one that is missing", "accept", "", "accept"},
		{"one too many", "x-b", "3", "x-b"},
		{"one of two values", "x-a", "1", "x-a"},
	} {
		sent := map[string]string{}
		for name, value := range all {
			sent[name] = value
		}
		if sent[c.header] = c.value; c.value == "" {
			delete(sent, c.header)
		}
		got := strings.Join(Untold(call, Request{Method: "GET", Headers: sent}), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	call.Unknown = []string{"*"}
	if got := Untold(call, Request{Method: "GET", Headers: map[string]string{"x-any": "1", "x-a": "1, 2",
		"user-agent": "curl/8.1.0"}}); len(got) != 1 || !strings.Contains(got[0], "accept") {
		t.Errorf("where any other may be sent, one that is missing: %q", got)
	}
	if got := Untold(call, Request{}); got != nil {
		t.Errorf("without a connection: %q", got)
	}
	if got := Untold(flow.Call{}, Request{Method: "GET", Headers: all}); got != nil {
		t.Errorf("where curl's own were not asked for: %q", got)
	}
}

// machinesCurl is the version of this machine's curl.
func machinesCurl(t *testing.T) Version {
	t.Helper()
	text, err := exec.Command(VersionCommand[0], VersionCommand[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	version, err := ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// arrived sends a call with arguments of curl's, and returns the headers as they arrive, as a
// Request has them.
func arrived(t *testing.T, call flow.Call, args []string) map[string]string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	headers := make(chan map[string]string, 1)
	go func() {
		defer close(headers)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		reader := textproto.NewReader(bufio.NewReader(conn))
		if _, err := reader.ReadLine(); err != nil {
			return
		}
		all := map[string]string{}
		fields, _ := reader.ReadMIMEHeader()
		for name, values := range http.Header(fields) {
			all[strings.ToLower(name)] = Joined(strings.ToLower(name), values)
		}
		headers <- all
		_, _ = conn.Write([]byte("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
	}()
	call.URL = strings.Replace(call.URL, "HOST", listener.Addr().String(), 1)
	if call.URL == "" {
		call.URL = "http://" + listener.Addr().String() + "/p"
	}
	_, _ = sentByCurl(t, call, args) // what is answered does not count
	listener.Close()
	got := <-headers
	if got == nil {
		t.Fatalf("%v: nothing arrived", args)
	}
	return got
}
