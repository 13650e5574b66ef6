package main

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/exit"
)

func TestReadCurl(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want flow.Call
	}{
		{"nothing", nil, flow.Call{Method: "GET"}},
		{"a body makes it POST", []string{"--data", "hello"}, flow.Call{Method: "POST"}},
		{"a method that is said stays", []string{"-X", "PUT", "-d", "hello"}, flow.Call{Method: "PUT"}},
		{"only the head", []string{"-I"}, flow.Call{Method: "HEAD"}},
		{"headers", []string{"-H", "End-User: jason", "--header", "x: 1"}, flow.Call{Method: "GET", Headers: map[string]string{"end-user": "jason", "x": "1"}}},
		{"cut off", []string{"-H"}, flow.Call{Method: "GET"}},
		{"a joined method", []string{"-XPOST"}, flow.Call{Method: "POST"}},
		{"a joined method after letters", []string{"-skXDELETE"}, flow.Call{Method: "DELETE"}},
		{"a joined header", []string{"-HEnd-User: jason"}, flow.Call{Method: "GET", Headers: map[string]string{"end-user": "jason"}}},
		{"a joined body", []string{"-d@file"}, flow.Call{Method: "POST"}},
		{"a body with an equals sign", []string{"-da=b"}, flow.Call{Method: "POST"}},
		{"a letter's value that reads like an option", []string{"-o", "-XPOST", "-A-I"}, flow.Call{Method: "GET"}},
		{"letters that end in one with a value", []string{"-sH", "x: 1", "-vo", "file"}, flow.Call{Method: "GET", Headers: map[string]string{"x": "1"}}},
		{"a header's value with colons and equals signs", []string{"-Hx:a=b:c"}, flow.Call{Method: "GET", Headers: map[string]string{"x": "a=b:c"}}},
		{"a header with an empty value, and one that is not sent", []string{"-H", "x;", "-H", "y:"}, flow.Call{Method: "GET", Headers: map[string]string{"x": ""}}},
		{"data in the URL", []string{"-G", "-d", "a=b"}, flow.Call{Method: "GET"}},
		{"data in the URL, joined", []string{"-da=b", "-sG"}, flow.Call{Method: "GET"}},
		{"data in the URL, long", []string{"--data-urlencode", "a=b", "--get"}, flow.Call{Method: "GET"}},
		{"GET that is said, with a body", []string{"-XGET", "-d", "x"}, flow.Call{Method: "GET"}},
		{"a form", []string{"-Ff=@file"}, flow.Call{Method: "POST"}},
		{"a file to upload", []string{"-Tfile"}, flow.Call{Method: "PUT"}},
		{"a dash alone", []string{"-", "--"}, flow.Call{Method: "GET"}},
		{"what inference need not know", []string{"--max-time", "3", "-k"}, flow.Call{Method: "GET"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := flow.Call{Method: "GET"}
			readCurl(tt.args, &got)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestTraceRefuses says before anything runs, and without a cluster, what cannot be.
func TestTraceRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ flag, value, want string }{
		"a level that there is not":    {"--statements", "info", "is none of trace, debug"},
		"a bundle in no directory":     {"--bundle", filepath.Join(t.TempDir(), "none", "run"), "make that directory first"},
		"a bundle over something else": {"--bundle", ".", "something else than a bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			var errout bytes.Buffer
			code := Run(t.Context(), []string{"trace", "--from", "a", "--to", "http://b/", tt.flag, tt.value}, Streams{In: strings.NewReader(""), Out: &errout, Err: &errout})
			if code != exit.Usage || !strings.Contains(errout.String(), tt.want) {
				t.Errorf("code %d, want %d with %q:\n%s", code, exit.Usage, tt.want, errout.String())
			}
		})
	}
}

func FuzzReadCurl(f *testing.F) {
	f.Add("-skXPOST -HName:v -d@f --header x:1")
	f.Add("-H - -- --data")
	f.Fuzz(func(t *testing.T, args string) {
		call := flow.Call{Method: "GET"}
		readCurl(strings.Split(args, " "), &call)
		if call.Method == "" {
			t.Error("no method")
		}
	})
}
