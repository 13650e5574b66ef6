package infer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// badLines are lines of a batch that are no requests, each with what its answer says. None of them
// keeps the others from being answered.
var badLines = []struct{ name, line, want string }{
	{"no JSON", "no request", "line 2: "},
	{"half an object", `{"address":"10.0.0.1"`, "line 2: "},
	{"a list", `["10.0.0.1"]`, "line 2: "},
	{"two objects", `{"address":"10.0.0.1","port":80} {}`, "more than one JSON value"},
	{"an unknown key", `{"adress":"10.0.0.1","port":80}`, "adress"},
	{"no port", `{"address":"10.0.0.1"}`, "port 0"},
	{"a port too large", `{"address":"10.0.0.1","port":65536}`, "port 65536"},
	{"a negative port", `{"address":"10.0.0.1","port":-1}`, "port"},
	{"a name for an address", `{"address":"reviews","port":80}`, "address"},
	{"an unknown protocol", `{"address":"10.0.0.1","port":80,"protocol":"gopher"}`, "gopher"},
	{"a header that is a number", `{"address":"10.0.0.1","port":80,"headers":{"x-a":1}}`, "line 2: "},
	{"a zero byte", "\x00", "line 2: "},
	{"longer than a line may be", `{"id":"` + strings.Repeat("x", maxRequest) + `"}`, "longer than 1024 KiB"},
	{"much longer", strings.Repeat("[", 3*maxRequest), "longer than 1024 KiB"},
}

const goodLine = `{"id":"good","address":"10.0.0.1","port":80}`

func emptyEngine(t *testing.T) *Engine {
	t.Helper()
	d, err := configdump.Parse(
		[]byte(`{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump","bootstrap":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return New(d)
}

// TestBatchAnswersEveryLine holds that a bad line is answered by its error, and those around it as
// if it were not there.
func TestBatchAnswersEveryLine(t *testing.T) {
	e := emptyEngine(t)
	for _, c := range badLines {
		t.Run(c.name, func(t *testing.T) {
			var all []flow.Decision
			in := "\xef\xbb\xbf" + goodLine + "\r\n" + c.line + "\n\n  \t\n" + goodLine // the last without an end
			err := e.Batch(strings.NewReader(in), io.Discard, Options{}, func(_ io.Writer, d flow.Decision) error {
				all = append(all, d)
				return nil
			})
			var bad *BatchError
			if !errors.As(err, &bad) || bad.Bad != 1 {
				t.Errorf("the batch ends with %v", err)
			}
			if len(all) != 3 || all[0].ID != "good" || all[2].ID != "good" || all[0].Error+all[2].Error != "" {
				t.Fatalf("the answers are %+v", all)
			}
			if !strings.Contains(all[1].Error, c.want) {
				t.Errorf("the bad line is answered by %q", all[1].Error)
			}
		})
	}
}

// TestCompareBatchAnswersEveryLine is the same for two dumps.
func TestCompareBatchAnswersEveryLine(t *testing.T) {
	e := emptyEngine(t)
	var in bytes.Buffer
	for _, c := range badLines {
		in.WriteString(c.line + "\n" + goodLine + "\n")
	}
	var problems []string
	total, changes, err := CompareBatch(e, e, &in, func(c *flow.WayChange) error {
		text, _ := json.Marshal(c)
		problems = append(problems, string(text))
		return nil
	})
	var bad *BatchError
	if !errors.As(err, &bad) || bad.Bad != len(badLines) || total != len(badLines) || changes != 0 ||
		len(problems) != len(badLines) {
		t.Errorf("%d requests, %d changes, %d problems, %v", total, changes, len(problems), err)
	}
}

// TestLinesOfABrokenReader holds that what was read before a failure is answered.
func TestLinesOfABrokenReader(t *testing.T) {
	broken := errors.New("the disk is gone")
	answers := 0
	err := emptyEngine(t).Batch(io.MultiReader(strings.NewReader(goodLine+"\n"), failing{broken}),
		io.Discard, Options{}, func(io.Writer, flow.Decision) error { answers++; return nil })
	if !errors.Is(err, broken) || answers != 1 {
		t.Errorf("%d answers, %v", answers, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
