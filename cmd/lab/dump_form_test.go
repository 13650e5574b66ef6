package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/flowproof/lab/harness/configdump"
)

// peer builds a program that results are held against, which hack/peers pins. Its source may have
// to be fetched: where that cannot be done the test is skipped, but not in CI.
func peer(t *testing.T, what string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "peer")
	out, err := exec.Command("go", "build", "-C", "../../hack/peers", "-o", program, what).CombinedOutput()
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatalf("build %s: %v\n%s", what, err, out)
	case err != nil:
		t.Skipf("%s cannot be built here: %v\n%s", what, err, out)
	}
	return program
}

// odd are strings and numbers that YAML and JSON write in different ways.
const odd = `{"a":"yes","b":"no","c":"On","d":"y","e":"null","f":"~","g":"1","h":"1.5","i":"0x1F","j":"2026-01-01",
	"k":"a: b","l":"# c",
"m":" lead","n":"trail ","o":"multi\nline","p":"tab\tx","q":"","r":"true","s":"True","t":"1e3","u":"0o17","v":"- x",
  "w":"*a","x":"&a",
"y":"!t","z":"%x","aa":"@x","ab":"` + "`" + `x","ac":"[x","ad":"{x","ae":"x,y","af":"?x","ag":"'q","ah":"\"q","ai":"é中",
	"aj":"\u0001","ak":"\u2028",
"al":"x\ny\n","am":[],"an":{},"ao":[[1,[2]],{"b":[]}],"ap":1.0,"aq":1e10,"ar":null,"as":true,"at":-0,
  "au":12345678901234567890,"av":"<<",
"aw":"=","ax":".inf","ay":".NaN",
"az":"long long long long long long long long long long long long long long long long long long long long",
"on":1,"yes":2,"1":3,"null":4,"~":5,"true":6,"":7,"a b":8,"a:b":9,"- q":10,"ba":"012","bb":"1_000","bc":"12:30:45",
  "bd":"-","be":"--- x",
"bf":"...","bg":"\\","bh":"\u00a0","bj":"\n","bk":"\n\nx","bl":"N","bm":"OFF","bn":"x: ","bo":":x","bp":"x #y",
  "bq":"x\r\ny",
"br":"  multi\n lead","bs":"0b11","bt":"+1","bu":"1.","bv":".5","bw":"2001-12-14t21:59:43.10-05:00","bx":"\n  x",
  "by":"\n\tx\n",
"bz":{"code":"\nfunction envoy_on_request(h)\n  h:x()  \nend\n"},"ca":[" \n","\n"],"cb":"x \ny"}`

// TestYAMLIsYqs holds that -o yaml is what the real yq makes of a dump, byte for byte.
func TestYAMLIsYqs(t *testing.T) {
	yq := peer(t, "github.com/mikefarah/yq/v4")
	texts := map[string][]byte{"odd": []byte(odd)}
	for _, pod := range []string{"netshoot", "fortio-server"} {
		dump, err := configdump.Open(t.Context(), "../../scenarios/dumps/"+pod+".json.gz")
		if err != nil {
			t.Fatal(err)
		}
		defer dump.Close()
		texts[pod] = dump.Root().Raw()
	}
	for name, text := range texts {
		cmd := exec.Command(yq, "eval", "-P")
		cmd.Stdin = bytes.NewReader(text)
		want, err := cmd.Output()
		if err != nil {
			t.Fatalf("yq eval -P: %v", err)
		}
		got, err := prettyYAML(text)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the YAML is not yq's: %s", name, firstOf(string(want), string(got)))
		}
		if name != "odd" {
			if code, out, errs := run(t, "dump", "--file", "../../scenarios/dumps/"+name+".json.gz", "-o",
				"yaml"); code != 0 ||
				out != string(want) {
				t.Errorf("lab dump -o yaml: exit code %d, %d bytes, not %d: %s", code, len(out), len(want), errs)
			}
		}
	}
}

// firstOf is the first line in which two texts differ.
func firstOf(want, got string) string {
	w, g := bytes.Split([]byte(want), []byte("\n")), bytes.Split([]byte(got), []byte("\n"))
	for i := range min(len(w), len(g)) {
		if !bytes.Equal(w[i], g[i]) {
			return "want " + string(w[i]) + ", got " + string(g[i])
		}
	}
	return "one is longer"
}

// FuzzPrettyYAML holds that the YAML of any JSON has the same strings, numbers and
// words in the same order.
func FuzzPrettyYAML(f *testing.F) {
	f.Add([]byte(odd))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := prettyYAML(text)
		if err != nil {
			if json.Valid(text) && len(text) < 1000 {
				t.Fatalf("%s: %v", text, err)
			}
			return
		}
		var document yaml.Node
		if err := yaml.Unmarshal(out, &document); err != nil {
			t.Fatalf("%q gives %q: %v", text, out, err)
		}
		want, got := scalarsOfJSON(text), scalarsOfYAML(&document, nil)
		if len(want) != len(got) {
			t.Fatalf("%q gives %q: %d values, not %d", text, out, len(got), len(want))
		}
		for i := range want {
			if want[i] != got[i] {
				t.Errorf("%q gives %q: %q for %q", text, out, got[i], want[i])
			}
		}
	})
}

func scalarsOfJSON(text []byte) []string {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var all []string
	for {
		token, err := decoder.Token()
		if err != nil {
			return all
		}
		switch v := token.(type) {
		case string:
			all = append(all, "string "+v)
		case json.Number:
			all = append(all, v.String())
		case bool:
			all = append(all, map[bool]string{true: "true", false: "false"}[v])
		case nil:
			all = append(all, "null")
		}
	}
}

func scalarsOfYAML(n *yaml.Node, all []string) []string {
	if n.Kind == yaml.ScalarNode {
		if n.Tag == "!!str" || n.Tag == "!!merge" {
			return append(all, "string "+n.Value)
		}
		return append(all, n.Value)
	}
	for _, child := range n.Content {
		all = scalarsOfYAML(child, all)
	}
	return all
}
