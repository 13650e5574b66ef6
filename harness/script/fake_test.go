package script

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/run/runtest"
)

// TestRequestsOfScenarios sends requests from scripts in a lab without a cluster: what stands in a
// script is what curl is given.
func TestRequestsOfScenarios(t *testing.T) {
	for line, want := range map[string][]string{
		`request plain -> 'http://fortio-server:8080/echo?q=$HOME2&x=1'`: {
			`url = "http://fortio-server:8080/echo?q=$HOME2&x=1"`,
		},
		`request plain -> 'http://fortio-server:8080/?q=''a''#b'`: {
			`url = "http://fortio-server:8080/?q='a'#b"`,
		},
		`request plain -> 'http://fortio-server:8080/a"b\c'`: {
			`url = "http://fortio-server:8080/a\"b\\c"`,
		},
		`request plain -> 'http://fortio-server:8080/a b'`: {
			`url = "http://fortio-server:8080/a%20b"`,
		},
		`request -X PUT plain -> http://fortio-server:8080/`: {`request = "PUT"`},
		`request -H 'cookie: a=1' -H 'cookie: b=$2' plain -> http://fortio-server/`: {`header = "cookie: a=1"`,
			`header = "cookie: b=$2"`},
		`request -d 'a=$b' -d @body plain -> http://fortio-server:8080/`: {`request = "POST"`,
			`data-binary = "a=$b&of the file"`},
	} {
		t.Run(line, func(t *testing.T) {
			var sent []string
			lab := runtest.New(&runtest.Pod{Ref_: "plain.mark", Address: "10.0.0.9",
				Answer: func(command []string, stdin []byte) *mesh.Output {
					sent = append(sent, string(stdin))
					return &mesh.Output{Stderr: []byte("* Connected to b (10.0.0.1) port 8080\n< HTTP/1.1 200 OK\n")}
				}})
			result := Run(t.Context(), lab.Run(),
				Parse("t", []byte(line+"\nstdout '^status 200'\n-- body --\nof the file\n")), Options{})
			if result.Err != nil || len(sent) != 1 {
				t.Fatalf("sent %d, %v", len(sent), result.Err)
			}
			for _, text := range want {
				if !strings.Contains(sent[0], text) {
					t.Errorf("curl was given\n%swithout %s", sent[0], text)
				}
			}
		})
	}
}

// TestRequestsThatAreRefused says of a line which words it must have.
func TestRequestsThatAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"request -k plain -> http://b/":        "before FROM stand -X, -H and -d with their values",
		"request -H":                           "write FROM -> URL",
		"request -H plain -> http://b/":        "before FROM stand -X, -H and -d with their values",
		"request -d @none plain -> http://b/":  "read the data of the request",
		"infer -X PUT plain -> http://b/":      "there is no dump to infer from",
		"request plain -> http://b/ http://c/": "write FROM -> URL",
	} {
		t.Run(line, func(t *testing.T) {
			lab := runtest.New(&runtest.Pod{Ref_: "plain.mark"})
			result := Run(t.Context(), run.Lab{Mesh: lab}, Parse("t", []byte(line+"\n")), Options{})
			if result.Err == nil || !strings.Contains(result.Reason, want) {
				t.Errorf("%q, want %q", result.Reason, want)
			}
		})
	}
}
