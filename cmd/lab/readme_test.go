package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/golden"
	"github.com/flowproof/lab/internal/screen"
)

// TestExplained keeps the explained path of the documentation what the command prints for
// the recorded dumps.
func TestExplained(t *testing.T) {
	dump := func(pod string) *configdump.Dump {
		d, err := configdump.Open(t.Context(), "../../scenarios/dumps/"+pod+".json.gz")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	client, server := dump("netshoot"), dump("fortio-server")
	defer client.Close()
	defer server.Close()
	call := flow.Call{From: client.Node().Pod, Namespace: client.Node().Namespace, URL: "http://fortio-server:8080/"}
	way, err := infer.Way(client, server, call, infer.WayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	text.WriteString("From two dumps alone, no cluster needed; each line names the field that decided and " +
		"what lost:\n\n```\n" +
		"$ lab infer -v --client-dump netshoot.json.gz --server-dump fortio-server.json.gz --to " + call.URL + "\n")
	if err := report.Way(&text, "text", way, (&inferFlags{verbose: true}).text(0)); err != nil {
		t.Fatal(err)
	}
	text.WriteString("```\n\nBoth dumps are in [scenarios/dumps](../scenarios/dumps), so the command can be tried " +
		"there.\n")
	golden.Part(t, "../../docs/explained.md", "inference", text.String())
}

// TestTables keeps the parts of the documentation that are written from a table of the code.
func TestTables(t *testing.T) {
	for _, c := range []struct{ page, part, text string }{
		{"../../README.md", "exit codes", exit.Sentence()},
		{"../../docs/backends.md", "image sources", "- `--images` says " + components.ImageSourcesHelp() + "."},
		{"../../docs/explain.md", "log formats", "A line of an access log is read by the first format that fits it: " +
			"the one in the dump, " + strings.Join(logformat.Known(), ", ") + "."},
	} {
		golden.Part(t, c.page, c.part, strings.Join(screen.Fold(c.text, 120, ""), "\n")+"\n")
	}
}

// TestDocumentedCommands keeps the documentation's commands from drifting: each line of its code
// blocks that calls lab has to name a verb and flags that there are.
func TestDocumentedCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(data), "\n") {
			line, _, _ = strings.Cut(strings.TrimPrefix(line, "$ "), " #")
			line, _, _ = strings.Cut(line, " > ")
			if strings.HasPrefix(line, "lab ") {
				found++
				documentedCommand(t, fmt.Sprintf("%s:%d", filepath.Base(page), n+1), line)
			}
		}
	}
	if found == 0 {
		t.Error("the documentation shows no command")
	}
}

func documentedCommand(t *testing.T, place, line string) {
	t.Helper()
	root := newRoot(&app{})
	cmd, rest, err := root.Find(strings.Fields(line)[1:])
	if err != nil || cmd == root {
		t.Errorf("%s: %s: no such verb: %v", place, line, err)
		return
	}
	if cmd.DisableFlagParsing {
		return // what follows is another program's
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: %s: %v", place, line, err)
	}
}

// link is a link of Markdown to a place in this repository.
var link = regexp.MustCompile(`\]\(([^)#: ]+)(?:#[^)]*)?\)`)

// TestDocumentedPlaces holds every link of the documentation, and every path in CONTRIBUTING.md's
// map, against the tree.
func TestDocumentedPlaces(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	decisions, _ := filepath.Glob("../../docs/decisions/*.md")
	for _, page := range slices.Concat(pages, decisions, []string{"../../README.md", "../../CONTRIBUTING.md"}) {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		places := link.FindAllStringSubmatch(string(data), -1)
		if filepath.Base(page) == "CONTRIBUTING.md" {
			places = append(places, mapped.FindAllStringSubmatch(string(data), -1)...)
		}
		for _, place := range places {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), place[1])); err != nil {
				t.Errorf("%s names %s, and there is none", filepath.Base(page), place[1])
			}
		}
	}
}

// mapped is a path in CONTRIBUTING.md.
var mapped = regexp.MustCompile("`((?:harness|internal|cmd|bpf|scenarios|manifests|toolchain|hack|docs)/[^` ]*)`")
