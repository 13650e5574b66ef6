package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

var update = flag.Bool("update", false, "write what is generated in the README instead of comparing with it")

// TestREADMEInference keeps the README's explained path what the command prints for the recorded dumps.
func TestREADMEInference(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- inference -->", "<!-- /inference -->"
	dump := func(pod string) *configdump.Dump {
		d, err := configdump.Open("../../scenarios/dumps/" + pod + ".json.gz")
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
	text.WriteString(begin + "\n## One path, explained\n\nFrom two dumps alone, no cluster needed; each line names the field that decided and what lost:\n\n```\n" +
		"$ lab infer --client-dump netshoot.json.gz --server-dump fortio-server.json.gz --to " + call.URL + "\n")
	if err := infer.WriteWay(&text, "text", way, (&inferFlags{}).text()); err != nil {
		t.Fatal(err)
	}
	text.WriteString("```\n\nBoth dumps are in [scenarios/dumps](scenarios/dumps), so the command can be tried there.\n" + end)
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := bytes.Cut(readme, []byte(begin))
	_, after, ok := bytes.Cut(rest, []byte(end))
	if !ok {
		t.Fatalf("the README has no %s … %s", begin, end)
	}
	want := string(before) + text.String() + string(after)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(readme) {
		t.Error("the README's explained path is not what lab infer prints (write it with -update)")
	}
}

// TestREADMECommands keeps the README's commands from drifting: each line of its code blocks that calls lab has to name
// a verb and flags that there are.
func TestREADMECommands(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for n, line := range strings.Split(string(data), "\n") {
		line, _, _ = strings.Cut(strings.TrimPrefix(line, "$ "), " #")
		line, _, _ = strings.Cut(line, " > ")
		if !strings.HasPrefix(line, "lab ") {
			continue
		}
		found++
		args := strings.Fields(line)[1:]
		root := newRoot(&app{})
		cmd, rest, err := root.Find(args)
		if err != nil || cmd == root {
			t.Errorf("line %d: %s: no such verb: %v", n+1, line, err)
			continue
		}
		if cmd.DisableFlagParsing {
			continue // what follows is another program's
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("line %d: %s: %v", n+1, line, err)
		}
	}
	if found == 0 {
		t.Error("the README shows no command")
	}
}
