package curl

import (
	"reflect"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestApply gives what inference has to know of curl's arguments.
func TestApply(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want flow.Call
	}{
		{"nothing", nil, flow.Call{Method: "GET"}},
		{"a body makes it POST", []string{"--data", "hello"}, flow.Call{Method: "POST", Body: []byte("hello")}},
		{"a method that is said stays", []string{"-X", "PUT", "-d", "hello"},
			flow.Call{Method: "PUT", Body: []byte("hello")}},
		{"only the head", []string{"-I"}, flow.Call{Method: "HEAD"}},
		{"headers", []string{"-H", "End-User: jason", "--header", "x: 1"},
			flow.Call{Method: "GET", Headers: flow.Headers{"end-user": {"jason"}, "x": {"1"}}}},
		{"a joined method", []string{"-XPOST"}, flow.Call{Method: "POST"}},
		{"a joined method after letters", []string{"-skXDELETE"}, flow.Call{Method: "DELETE"}},
		{"a joined header", []string{"-HEnd-User: jason"},
			flow.Call{Method: "GET", Headers: flow.Headers{"end-user": {"jason"}}}},
		{"a joined body", []string{"-d@file"}, flow.Call{Method: "POST", Body: []byte("offile")}},
		{"a body with an equals sign", []string{"-da=b"}, flow.Call{Method: "POST", Body: []byte("a=b")}},
		{"a letter's value that reads like an option", []string{"-o", "-XPOST", "-A-I"},
			flow.Call{Method: "GET", Headers: flow.Headers{"user-agent": {"-I"}}}},
		{"letters that end in one with a value", []string{"-sH", "x: 1", "-vo", "file"},
			flow.Call{Method: "GET", Headers: flow.Headers{"x": {"1"}}}},
		{"a header's value with colons and equals signs", []string{"-Hx:a=b:c"},
			flow.Call{Method: "GET", Headers: flow.Headers{"x": {"a=b:c"}}}},
		{"a header with an empty value, and one that is not sent", []string{"-H", "x;", "-H", "y:"},
			flow.Call{Method: "GET", Headers: flow.Headers{"x": {""}}, Without: []string{"y"}}},
		{"data in the URL", []string{"-G", "-d", "a=b"}, flow.Call{Method: "GET", URL: "http://b/?a=b"}},
		{"data in the URL, joined", []string{"-da=b", "-sG"}, flow.Call{Method: "GET", URL: "http://b/?a=b"}},
		{"data in the URL, encoded", []string{"--data-urlencode", "a=b-c", "--data-urlencode", "=x", "--get"},
			flow.Call{Method: "GET", URL: "http://b/?a=b-c&x"}},
		{"data that begins with an at", []string{"--data-raw", "@a"}, flow.Call{Method: "POST", Body: []byte("@a")}},
		{"data as it is in a file", []string{"--data-binary", "@f"},
			flow.Call{Method: "POST", Body: []byte("of\r\nf\n")}},
		{"two pieces of JSON", []string{"--json", "[1,", "--json", "2]"},
			flow.Call{Method: "POST", Body: []byte("[1,2]")}},
		{"a user", []string{"-u", "a:b"},
			flow.Call{Method: "GET", Headers: flow.Headers{"authorization": {"Basic YTpi"}}}},
		{"a user, and the header that says so", []string{"-u", "a:b", "-H", "authorization: mine"},
			flow.Call{Method: "GET", Headers: flow.Headers{"authorization": {"mine"}}}},
		{"a token", []string{"--oauth2-bearer", "t"},
			flow.Call{Method: "GET", Headers: flow.Headers{"authorization": {"Bearer t"}}}},
		{"a range", []string{"-r", "0-9"}, flow.Call{Method: "GET", Headers: flow.Headers{"range": {"bytes=0-9"}}}},
		{"an agent", []string{"-Amine"}, flow.Call{Method: "GET", Headers: flow.Headers{"user-agent": {"mine"}}}},
		{"GET that is said, with a body", []string{"-XGET", "-d", "x"}, flow.Call{Method: "GET", Body: []byte("x")}},
		{"a cookie", []string{"-b", "a=1"}, flow.Call{Method: "GET", Headers: flow.Headers{"cookie": {"a=1"}}}},
		{"a file of cookies", []string{"-b", "jar"}, flow.Call{Method: "GET"}},
		{"a referer", []string{"-e", "http://a/;auto"},
			flow.Call{Method: "GET", Headers: flow.Headers{"referer": {"http://a/"}}}},
		{"a header twice", []string{"-H", "cookie: a=1", "-H", "Cookie: b=2"},
			flow.Call{Method: "GET", Headers: flow.Headers{"cookie": {"a=1", "b=2"}}}},
		{"data twice", []string{"-d", "a", "-d", "b"}, flow.Call{Method: "POST", Body: []byte("a&b")}},
		{"a form", []string{"-Ff=@file"}, flow.Call{Method: "POST"}},
		{"a file to upload", []string{"-Tfile"}, flow.Call{Method: "PUT"}},
		{"what inference need not know", []string{"--max-time", "3", "-k"}, flow.Call{Method: "GET"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := flow.Call{Method: "GET", URL: tt.want.URL}
			if tt.want.URL != "" {
				got.URL = "http://b/"
			}
			options, err := Options(tt.args)
			if err == nil {
				err = Apply(options, &got, func(name string) ([]byte, error) {
					return []byte("of\r\n" + name + "\n"), nil
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// FuzzApply tells a call any options that can be read: where they are not refused there is a
// method.
func FuzzApply(f *testing.F) {
	f.Add("-skXPOST -HName:v -d@f --header x:1")
	f.Add("-H - -- --data")
	f.Fuzz(func(t *testing.T, args string) {
		options, err := Options(strings.Split(args, " "))
		if err != nil {
			return
		}
		call := flow.Call{Method: "GET", URL: "http://b/"}
		if err := Apply(options, &call, nil); err == nil && call.Method == "" {
			t.Error("a call without a method")
		}
	})
}

// TestProtocol says which options make curl speak another version of HTTP.
func TestProtocol(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, ""}, {[]string{"--http2-prior-knowledge"}, "http2"}, {[]string{"-0"}, "http1.0"},
		{[]string{"--http1.0"}, "http1.0"},
		{[]string{"--http2"}, ""}, {[]string{"--http2-prior-knowledge", "--http1.1"}, ""},
	} {
		options, err := Options(c.args)
		if err != nil {
			t.Fatal(err)
		}
		if got := Protocol(options); got != c.want {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
}

// TestApplyRefuses says of a header and of a method that they are none, before anything is sent:
// curl leaves such a header out without a word, and sends such a method as it is.
func TestApplyRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"read header 1 of the request: it has to be": {"-H", "no colon"},
		"read header 2 of the request: it has to be": {"-H", "a: b", "-H", ": v"},
		"read header 1 of the":                       {"-H", "a b: v"},
		`read method "GE T": it is no token`:         {"-X", "GE T"},
		`read method CONNECT: with it curl sends`:    {"-X", "CONNECT"},
		`read method "GET\r\nx": it is no token`:     {"-X", "GET\r\nx"},
	} {
		options, err := Options(args)
		if err != nil {
			t.Fatal(err)
		}
		if err := Apply(options, &flow.Call{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
	for _, fine := range []string{"a;", "a:", "@file", "a: b: c", "X-Y_z.1: é"} {
		options, err := Options([]string{"-H", fine})
		if err == nil {
			err = Apply(options, &flow.Call{Headers: flow.Headers{}}, nil)
		}
		if err != nil {
			t.Errorf("%q: %v", fine, err)
		}
	}
}
