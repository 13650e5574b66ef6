package accesslog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func log(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParse(t *testing.T) {
	const statement = `{"level":"debug","time":"2026-11-23T06:34:16Z","scope":"envoy http","msg":"new ` +
		`stream","response_code":1}` + "\n"
	const request = `{"request_id":"a","response_code":200,"response_flags":"-","listener_name":null,` +
		`"route_name":"default"}` + "\n"
	for _, c := range []struct {
		name    string
		text    string
		lines   int
		damaged int
	}{
		{"empty", "", 0, 0},
		{"one", request, 1, 0},
		{"without its line feed", strings.TrimSpace(request), 1, 0},
		{"among Envoy's own", "2026-11-23T06:34:16.7Z\tdebug\tenvoy http\tnew stream\n" + statement + request, 1, 0},
		{"an object of something else", `{"a":1}` + "\n", 0, 0},
		{"cut", request[:30] + "\n" + request, 1, 1},
		{"two run together", strings.TrimSpace(request) + request, 0, 1},
		{"longer than a line may be", `{"response_code":200,"path":"/` + strings.Repeat("a", maxLine) +
			`"}` + "\n", 0, 1},
		{"nested", `{"response_code":200,"path":{"a":[1]},"protocol":["x"]}` + "\n", 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, damaged := Parse([]byte(c.text))
			if len(lines) != c.lines || len(damaged) != c.damaged {
				t.Errorf("%d lines, %d damaged", len(lines), len(damaged))
			}
		})
	}
	lines, _ := Parse([]byte("x\n" + request))
	if v, known := lines[0].Get(listenerName); v != "" || !known {
		t.Errorf("listener_name %q, known %v: null says that there is none", v, known)
	}
	if v, known := lines[0].Get(upHost); v != "" || known {
		t.Errorf("upstream_host %q, known %v: the format has no such member", v, known)
	}
	if v, _ := lines[0].Get(responseFlags); v != "" || lines[0].Number != 2 {
		t.Errorf("response_flags %q in line %d", v, lines[0].Number)
	}
}

func TestMarks(t *testing.T) {
	if text := log(t, "client.log"); !strings.Contains(string(text), Marks(requestOfLog)[0]) {
		t.Error("the mark is not in a real log")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"request_id":"a","response_code":200,"protocol":"HTTP/1.1","downstream_tls_version":null,` +
		`"upstream_local_address":"1.2.3.4:5","upstream_tls_version":"TLSv1.3"}`))
	f.Add([]byte("{\"response_flags\":\"-\"}\n{\"response_code\":\n"))
	f.Add(log(f, "client.log"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, damaged := Parse(text)
		for _, l := range lines {
			if l.Number < 1 || l.Text == "" {
				t.Errorf("line %d %q", l.Number, l.Text)
			}
			seen, w := Observe(lines, damaged, Selection{RequestID: l.RequestID()})
			if len(damaged) > 0 && w.Complete {
				t.Error("a damaged log makes a complete watch")
			}
			for _, o := range seen {
				if o.Facts[0].Value == "" {
					t.Errorf("%s: a fact without a value", o.Facts[0].Name)
				}
			}
		}
	})
}
