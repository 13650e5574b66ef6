package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/flowproof/lab/cmd/lab/internal/checkup"
	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/doctor"
	"github.com/flowproof/lab/internal/golden"
	"github.com/flowproof/lab/internal/schema"
)

const project = "../.."

// resultForms are the results that the command writes in JSON, each with its type and
// where it comes from.
var resultForms = []struct {
	version string
	of      any
	by      string
}{
	{flow.DecisionSchema, flow.Decision{}, "`lab infer --dump`: one for each request"},
	{flow.PathSchema, flow.Path{}, "`lab infer --to`"},
	{report.ReasonsSchema, report.Codes{}, "`lab infer --reasons`"},
	{flow.WayChangeSchema, flow.WayChange{}, "`lab diff`: one for each request whose way is another"},
	{flow.ExplanationSchema, flow.Explanation{}, "`lab explain` of one request"},
	{flow.LogExplanationSchema, flow.LogExplanation{}, "`lab explain` of a log"},
	{report.MeaningSchema, report.Meaning{}, "`lab explain` of a word"},
	{flow.RunDifferenceSchema, flow.RunDifference{}, "`lab diff` of two bundles"},
	{report.Schema, report.Document{}, "`lab verify`"},
	{script.ResultSchema, script.Result{}, "`lab run`"},
	{scenariosSchema, scenariosResult{}, "`lab run --list`"},
	{commandsSchema, commandsResult{}, "`lab run --commands`"},
	{traceSchema, traceResult{}, "`lab trace`"},
	{dryRunSchema, dryRun{}, "`lab run --dry-run`, `lab trace --dry-run`"},
	{lessonsSchema, lessonsResult{}, "`lab walk --list`"},
	{lessonSchema, lessonResult{}, "`lab walk --new`"},
	{upSchema, labResult{}, "`lab up`"},
	{cluster.StatusSchema, cluster.Status{}, "`lab status`"},
	{doctor.Schema, doctor.Report{}, "`lab doctor`"},
	{checkup.Schema, checkup.Report{}, "`lab doctor` of a cluster"},
	{buildSchema, buildResult{}, "`lab build`"},
	{components.InventorySchema, components.Inventory{}, "`lab cache`, `lab cache verify`"},
	{pruneSchema, pruneResult{}, "`lab cache prune`"},
	{resetSchema, resetResult{}, "`lab reset`"},
	{kubeconfigSchema, kubeconfigResult{}, "`lab kubeconfig`"},
	{versionSchema, versionResult{}, "`lab version`"},
	{flow.RunSchema, flow.Run{}, "run.json of a bundle, and within other results"},
	{flow.VerdictSchema, flow.RunVerdict{}, "verdict.json of a bundle, and within other results"},
	{trace.RecordingSchema, trace.Recording{}, "the first line of a bundle's trace.jsonl"},
}

// ownFiles are versions of files that lab alone reads; no result has them.
var ownFiles = map[string]string{
	infer.QuestionSchema:       "question.json of a bundle: what inference was asked",
	"flowproof.dev/bundle/v1":  "the layout of bundles before the last",
	"flowproof.dev/bundle/v2":  "bundle.json: the names and checksums of a bundle's files",
	"flowproof.dev/walk/v1":    "a learner's progress",
	"flowproof.dev/entry/v1":   "a part of the cache",
	"flowproof.dev/symbols/v2": "what is known of an Envoy's binary, in the cache",
	"flowproof.dev/proof/v6":   "what was proven of it",
}

// ownForms are the forms of types that write their JSON themselves, and the types whose
// constants may be left out.
var ownForms = schema.Forms{
	Own: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[flow.Headers](): {Type: "object", AdditionalProperties: &jsonschema.Schema{
			AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "array", Items: &jsonschema.Schema{Type: "string"}}}}},
		reflect.TypeFor[script.Seconds](): {Type: "number"},
	},
	// A forwarded request has no failure, and a bad line of a batch no outcome.
	Blank: []reflect.Type{
		reflect.TypeFor[flow.Outcome](), reflect.TypeFor[flow.Failure](), reflect.TypeFor[flow.Certainty](),
	},
	// An instrument's own package names it.
	More: map[reflect.Type][]string{reflect.TypeFor[flow.Instrument](): instrumentNames()},
}

func instrumentNames() []string {
	var names []string
	for _, i := range observe.Instruments() {
		names = append(names, string(i.Name()))
	}
	return names
}

// TestSchemas holds a JSON Schema for each result in docs/schema. With -update it writes them.
func TestSchemas(t *testing.T) {
	index := "# JSON Schemas of the results\n\n`-o json` gives each result with its version in the field `schema`. " +
		"Each version has a\n[JSON Schema](https://json-schema.org) here, generated from the Go types. The tests " +
		"hold " +
		"every result that they see\nagainst it. A version changes where a field goes or means something else; " +
		"one that is added changes none.\n\n" +
		"| version | file | where it comes from |\n| --- | --- | --- |\n"
	for _, r := range resultForms {
		s, err := schema.Of(r.version, r.of, ownForms)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := schema.File(r.version)
		golden.Equal(t, filepath.Join(project, "docs/schema", file), string(text)+"\n")
		index += fmt.Sprintf("| `%s` | [%s](%[2]s) | %s |\n", r.version, file, r.by)
	}
	golden.Equal(t, filepath.Join(project, "docs/schema/README.md"), index)
}

// TestVersionsHaveSchemas fails for a version in the source that has no schema and is
// no file of lab's own.
func TestVersionsHaveSchemas(t *testing.T) {
	known := map[string]bool{}
	for _, r := range resultForms {
		known[r.version] = true
	}
	version := regexp.MustCompile(`"(flowproof\.dev/[a-z-]+/v\d+)"`)
	for _, folder := range []string{"cmd", "harness", "internal"} {
		err := filepath.WalkDir(filepath.Join(project, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range version.FindAllStringSubmatch(string(text), -1) {
				if !known[m[1]] && ownFiles[m[1]] == "" {
					t.Errorf("%s: %s has no schema (add its type to resultForms)", path, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestResultsHaveTheirForm asks for results of many kinds: run holds each against its schema.
func TestResultsHaveTheirForm(t *testing.T) {
	dir := t.TempDir()
	requests := filepath.Join(dir, "requests.jsonl")
	lines := `{"id":"a","address":"10.96.215.136","port":8080,"authority":"fortio-server:8080","headers":` +
		`{"x-a":["1","2"]}}
no request
{"id":"b","direction":"inbound","address":"172.21.206.196","port":8080,"protocol":"tcp"}
{"id":"c","port":-1}
`
	if err := os.WriteFile(requests, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "kept.jsonl")
	if err := os.WriteFile(kept, []byte(strings.SplitAfter(lines, "\n")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	netshoot, fortio := project+"/scenarios/dumps/netshoot.json.gz", project+"/scenarios/dumps/fortio-server.json.gz"
	for _, args := range [][]string{
		{"infer", "--dump", netshoot, "--requests", requests},
		{"infer", "--dump", fortio, "--requests", requests, "--explain"},
		{"infer", "--dump", netshoot, "--to", "http://fortio-server:8080/", "--explain"},
		{"infer", "--client-dump", netshoot, "--server-dump", fortio, "--to",
			"http://fortio-server:8080/", "--explain"},
		{"infer", "--reasons"},
		{"diff", netshoot, fortio, "--requests", kept},
		{"verify", current(t, nil)},
		{"walk", "--list"},
		{"walk", "--new", filepath.Join(dir, "mine")},
		{"doctor"},
	} {
		t.Run(args[0], func(t *testing.T) {
			if _, stdout, stderr := run(t, append(args, "-o", "json")...); !strings.HasPrefix(stdout, "{") {
				t.Errorf("no result: %s", stderr)
			}
		})
	}
}

// TestBundlesHaveTheirForm holds the parts of a bundle against their schemas.
func TestBundlesHaveTheirForm(t *testing.T) {
	dir := current(t, nil)
	for _, name := range []string{"run.json", "verdict.json", "trace.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "trace.jsonl" { // what the recording is, and then its events
			text, _, _ = bytes.Cut(text, []byte("\n"))
		}
		schema.Check(t, project, text)
	}
}
