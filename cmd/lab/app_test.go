package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/schema"
)

// run runs the command as a shell would.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if text := out.Bytes(); bytes.HasPrefix(text, []byte("{")) && bytes.Contains(text, []byte(`"`+schema.Prefix)) {
		schema.Check(t, project, text)
	}
	return code, out.String(), errs.String()
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(broken, []byte("clusters: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string // in the one line on stderr
	}{
		{"unknown verb", []string{"upp"}, exit.Usage,
			`find verb "upp": there is none of that name (did you mean up or dump?)`},
		{"unknown verb, none near", []string{"frobnicate"}, exit.Usage, "see `lab --help`"},
		{"unknown flag", []string{"up", "--colour"}, exit.Usage, "unknown flag: --colour (see `lab up --help`)"},
		{"unknown backend", []string{"--backend", "vm", "status"}, exit.Usage,
			`choose backend "vm": there is none of that name (there are: `},
		{"unknown output", []string{"-o", "yaml", "version"}, exit.Usage, `choose output "yaml"`},
		{"missing argument", []string{"dump"}, exit.Usage, "usage: lab dump POD"},
		{"an argument too many", []string{"version", "now"}, exit.Usage, "usage: lab version"},
		{"unknown scenario", []string{"run", "inbond"}, exit.Usage,
			`find scenario "inbond": there is none of that name (did you mean inbound`},
		{"a scenario and --list", []string{"run", "--list", "inbound"}, exit.Usage, "usage: lab run"},
		{"no scenario", []string{"run"}, exit.Usage, "accepts 1 arg(s), received 0"},
		{"a file that is not there", []string{"run", "./nothing.txtar"}, exit.Usage,
			"read scenario: stat ./nothing.txtar: no such file"},
		{"a lab's name that is none", []string{"--name", "../x", "status"}, exit.Usage, `name a lab "../x"`},
		{"no lab", []string{"--name", "absent-lab", "dump", "netshoot"}, exit.Environment,
			"reach lab absent-lab: it is absent (bring it up with `lab up`"},
		{"no kubeconfig", []string{"--kubeconfig", filepath.Join(dir, "none"), "dump", "netshoot"}, exit.Environment,
			"none: no such file or directory (give the path of the cluster's own)"},
		{"a kubeconfig that is none", []string{"--kubeconfig", broken, "dump", "netshoot"}, exit.Environment,
			"read kubeconfig " + broken},
		{"a context that is none", []string{"--kubeconfig", kubeconfigToNowhere(t), "--context", "y", "dump",
			"netshoot"}, exit.Usage, `choose context "y": kubeconfig `},
		{"a cluster that does not answer", []string{"--kubeconfig", kubeconfigToNowhere(t), "dump", "netshoot"},
			exit.Environment, "reach the cluster of context x: "},
		{"a kubeconfig for a cluster of ours", []string{"--backend", "node", "--kubeconfig", broken, "status"},
			exit.Usage, "use --backend existing"},
		{"an unknown part", []string{"--kubeconfig", kubeconfigToNowhere(t), "up", "--install", "istoi"}, exit.Usage,
			`install "istoi": there is no such part (there are: istio, workshop)`},
		{"images from nowhere", []string{"--kubeconfig", kubeconfigToNowhere(t), "up", "--images", "foo"}, exit.Usage,
			`--images "foo" is not known (there are: ` + strings.Join(components.ImageSources(), ", ") + `)`},
		{"images from nowhere, to build", []string{"build", "--images", "foo"}, exit.Usage,
			`choose images: "foo" is none of ` + strings.Join(components.ImageSources(), ", ")},
		{"parts for a cluster of ours", []string{"up", "--install", "workshop"}, exit.Usage,
			"--install is for a cluster that is there already"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := run(t, tc.args...)
			if code != tc.code || !strings.Contains(stderr, tc.want) || strings.Count(stderr, "\n") != 1 ||
				stdout != "" {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d and one line with %q", code, stdout, stderr,
					tc.code, tc.want)
			}
		})
	}
}

func TestMachineForms(t *testing.T) {
	for _, tc := range []struct {
		args   []string
		schema string
	}{
		{[]string{"version"}, "flowproof.dev/version/v1"},
		{[]string{"run", "--list"}, "flowproof.dev/scenarios/v1"},
		{[]string{"run", "--commands"}, "flowproof.dev/commands/v1"},
		{[]string{"status", "--name", "absent-lab"}, "flowproof.dev/status/v1"},
		{[]string{"cache"}, "flowproof.dev/cache/v1"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			t.Setenv("FLOWPROOF_CACHE", t.TempDir())
			code, stdout, stderr := run(t, append(tc.args, "-o", "json")...)
			var document struct {
				Schema string `json:"schema"`
			}
			if err := json.Unmarshal([]byte(stdout), &document); err != nil || document.Schema != tc.schema ||
				code != exit.OK {
				t.Errorf("exit code %d, %v, schema %q, stderr %q", code, err, document.Schema, stderr)
			}
		})
	}
}

// TestHelpTeaches holds every verb that people see to a summary, an example and one way of writing.
func TestHelpTeaches(t *testing.T) {
	root := newRoot(&app{})
	for _, cmd := range root.Commands() {
		if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		t.Run(cmd.Name(), func(t *testing.T) {
			for _, part := range []string{cmd.Short, cmd.Example} {
				if part == "" {
					t.Error("no summary, or no example")
				}
			}
			if strings.HasSuffix(cmd.Short, ".") {
				t.Errorf("the summary ends with a full stop: %q", cmd.Short)
			}
			for line := range strings.Lines(cmd.Example) {
				command := strings.TrimSpace(line)
				if command != "" && command[0] != '#' && !strings.Contains(command, "lab") {
					t.Errorf("an example without lab: %q", command)
				}
			}
			if code, stdout, _ := run(t, cmd.Name(), "--help"); code != exit.OK || !strings.Contains(stdout, "Usage:") {
				t.Errorf("--help ends with %d: %s", code, stdout)
			}
		})
	}
}

func TestCompletion(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"scenarios", []string{"run", ""}, "inbound\n"},
		{"backends", []string{"up", "--backend", ""}, "existing\nkind\nnode\n"},
		{"contexts", []string{"--kubeconfig", kubeconfigToNowhere(t), "status", "--context", ""}, "x\n"},
		{"parts", []string{"up", "--install", ""}, "istio\nworkshop\n"},
		{"verbs", []string{"do"}, "doctor\t"},
		{"no lab, no pods", []string{"--name", "absent-lab", "dump", ""}, ":4\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, stdout, _ := run(t, append([]string{cobra.ShellCompRequestCmd}, tc.args...)...)
			if !strings.Contains(stdout, tc.want) {
				t.Errorf("completion offers %q, want %q", stdout, tc.want)
			}
		})
	}
}

func TestCancelledCommandIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := Run(ctx, []string{"--kubeconfig", kubeconfigToNowhere(t), "dump", "netshoot"},
		Streams{Out: &out, Err: &errs})
	if code != exit.Interrupted || errs.String() != "lab: interrupted\n" {
		t.Errorf("exit code %d, stderr %q", code, errs.String())
	}
}

func kubeconfigToNowhere(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"x",
		"contexts":[{"name":"x","context":{"cluster":"x"}}],
		"clusters":[{"name":"x","cluster":{"server":"http://127.0.0.1:1"}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
