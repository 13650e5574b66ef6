package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/flowproof/lab/harness/flow"
)

// TestHeaderLines reads headers from a file, which is on no command line.
func TestHeaderLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("authorization: Bearer S3cret\r\n# a note\n\nx: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := headerLines(t.Context(), []string{"a: b", "@" + file})
	if err != nil || strings.Join(got, "|") != "a: b|authorization: Bearer S3cret|x: 1" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := headerLines(t.Context(), []string{"@" + file + "none"}); err == nil {
		t.Error("a file that is not there is read")
	}
}

// evil is what a name, a value, a comment or a file's name can hold: a colour, a title, a cursor,
// C1, a turned direction, an end of a line that begins one of our own, and what is not seen.
const evil = "x\x1b[31m\x1b]0;t\x07\x1b[2J\rlab: verified\u009b31m\u202e\u2066\u200b\x7f\u2028y"

// TestHostileNames holds every output that can be had without a lab to showing what a terminal
// would obey. TestCurlConfig reads curl's options from a file and from standard input.
func TestCurlConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "options")
	const text = "header = \"authorization: Bearer x\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"--header", "authorization: Bearer x"}
	for _, path := range []string{file, "-"} {
		if got, err := curlConfig(t.Context(), strings.NewReader(text), path); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	for path, said := range map[string]string{filepath.Join(t.TempDir(), "none"): "no such file",
		"-": "at most 64 KiB are read"} {
		if _, err := curlConfig(t.Context(), strings.NewReader(strings.Repeat("x", maxHeaders+1)), path); err == nil ||
			!strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v, want %q", path, err, said)
		}
	}
	if _, err := curlConfig(t.Context(), strings.NewReader("header = \"hunter2"), "-"); err == nil ||
		strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an error shows the value: %v", err)
	}
}

func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	dump := filepath.Join(dir, "dump.json")
	document, err := json.Marshal(map[string]any{"configs": []any{
		map[string]any{"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
			"bootstrap": map[string]any{"node": map[string]any{"id": "sidecar~10.0.0.1~" + evil + ".mark~mark.svc"}}},
		map[string]any{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
			"dynamic_listeners": []any{map[string]any{"name": evil,
				"active_state": map[string]any{"listener": map[string]any{"name": evil,
					"address": map[string]any{"socket_address": map[string]any{"address": "0.0.0.0",
						"port_value": 8080}},
					"filter_chains": []any{
						map[string]any{"name": evil, "filters": []any{map[string]any{"name": evil}}},
					}}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	scenario := filepath.Join(dir, "mine.txtar")
	requests := filepath.Join(dir, "requests.jsonl")
	line, _ := json.Marshal(flow.Request{ID: evil, Address: "10.0.0.9", Port: 8080, Authority: evil, Path: "/" + evil})
	for name, text := range map[string][]byte{
		dump: document, scenario: []byte("# " + evil + "\x00\n" + evil + "\x00\n"), requests: append(line, '\n'),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	infer := []string{"infer", "--dump", dump, "--address", "10.0.0.9", "--port", "8080",
		"--authority", evil, "--path", "/" + evil}
	cases := [][]string{{evil}, {"run", evil}, {"run", scenario}, {"run", filepath.Join(dir, evil)},
		{"verify", filepath.Join(dir, evil)}, {"--" + evil}, {"-o", evil, "version"},
		{"--backend", evil, "status"}, {"--name", evil, "status"}, {"infer", "--dump", filepath.Join(dir, evil)},
		{"infer", "--dump", dump, "--to", "http://" + evil},
		{"trace", "--from", evil, "--to", evil}, {"diff", dump, filepath.Join(dir, evil), "--requests", requests},
		{"--kubeconfig", filepath.Join(dir, evil), "dump", evil},
		{"infer", "--dump", dump, "--requests", requests},
		{"infer", "--dump", dump, "--requests", requests, "-o", "json"}, append(infer, "--explain")}
	for _, form := range []string{"text", "minimal", "json", "yaml", "mermaid"} {
		cases = append(cases, append(append([]string{}, infer...), "-o", form))
	}
	for _, args := range cases {
		_, stdout, stderr := run(t, args...)
		for _, out := range []string{stdout, stderr} {
			for _, r := range out {
				if r != '\n' && r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || r == '\u2028') {
					t.Errorf("%q writes %q", args, out)
					break
				}
			}
			for shown := range strings.Lines(out) {
				if strings.HasPrefix(shown, "lab: verified") {
					t.Errorf("%q writes a line that is not lab's: %q", args, out)
				}
			}
		}
		if stdout+stderr == "" {
			t.Errorf("%q says nothing", args)
		}
	}
}
