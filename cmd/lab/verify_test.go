package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/verify"
)

const inboundBundle = "../../harness/bundle/testdata/inbound"

// current is the run of the inbound bundle as it would be written now: what follows from its raw
// parts is made anew.
func current(t *testing.T, change func(*bundle.Contents)) string {
	t.Helper()
	c, err := bundle.Read(t.Context(), inboundBundle)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&c)
	}
	if c.Run, _, err = bundle.Judge(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	c.Verdict = verify.Judge(c.Run)
	dir := filepath.Join(t.TempDir(), "bundle")
	if _, err := bundle.Write(dir, c); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tampered is the inbound bundle with one file changed.
func tampered(t *testing.T, file, old, new string) string {
	t.Helper()
	dir := current(t, nil)
	name := filepath.Join(dir, file)
	text, err := os.ReadFile(name)
	if err != nil || !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s does not hold %q (%v)", file, old, err)
	}
	if err := os.WriteFile(name, bytes.ReplaceAll(text, []byte(old), []byte(new)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// accepted is the inbound bundle without what eBPF recorded and without socket tables, so that no
// instrument saw the application, as a run that accepts that.
func accepted(t *testing.T, hops ...string) string {
	t.Helper()
	return current(t, func(c *bundle.Contents) {
		recording := *c.Recording
		recording.Trace = nil
		for _, pod := range []*observe.Pod{&recording.Client, &recording.Server} {
			pod.Keep(instrument.SocketsBefore, nil)
			pod.Keep(instrument.SocketsAfter, nil)
		}
		c.Recording, c.Run.Accepted = &recording, hops
	})
}

func TestVerify(t *testing.T) {
	whole := current(t, nil)
	for _, c := range []struct {
		name        string
		args        []string
		code        int
		out, errout string
	}{
		{"untouched", []string{whole}, exit.OK, "verified: confirmed 26/26 hops, 0 not observed, 0 refuted", ""},
		{"as JSON", []string{whole, "-o", "json"}, exit.OK, `"schema": "flowproof.dev/report/v1"`, ""},
		{"as JUnit", []string{whole, "-o", "junit"}, exit.OK,
			`<testsuites tests="27" failures="0" errors="0" skipped="0">`, ""},
		{"as Mermaid", []string{whole, "-o", "mermaid"}, exit.OK, "flowchart TD", ""},
		{"every hop explained", []string{whole, "-v"}, exit.OK, "field    /configs/", ""},
		{"another path", []string{tampered(t, "run.json", `"value": "15006"`, `"value": "15001"`)}, exit.Incomplete,
			"run.json says /path/hops/", ""},
		{"a log cut", []string{tampered(t, "logs/fortio-server.mark.log", "destroying stream", "")}, exit.Incomplete,
			"the stream's last line is missing", ""},
		{"a hop that was not observed", []string{accepted(t)}, exit.Incomplete, "1 not observed", ""},
		{"accepted by the scenario", []string{accepted(t, "server/app")}, exit.OK,
			"incomplete: confirmed 25/26 hops, 1 not observed, 0 refuted; accepted without evidence: server/app", ""},
		{"accepted, as JSON", []string{accepted(t, "app"), "-o", "json"}, exit.OK, `"accepted": [`, ""},
		{"another one accepted", []string{accepted(t, "client/app")}, exit.Incomplete, "1 not observed", ""},
		{"no bundle", []string{t.TempDir()}, exit.Usage, "", "there is no bundle.json in it, so it is not a bundle"},
		{"not JSON", []string{tampered(t, "run.json", `"schema"`, `schema`)}, exit.Usage, "", "run.json: line "},
		{"no such form", []string{whole, "-o", "xml"}, exit.Usage, "",
			`choose output "xml": there are ` + strings.Join(report.Forms(), ", ")},
		{"no argument", nil, exit.Usage, "", "usage: lab verify DIR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errout bytes.Buffer
			code := Run(t.Context(), append([]string{"verify"}, c.args...),
				Streams{In: strings.NewReader(""), Out: &out, Err: &errout})
			if code != c.code || !strings.Contains(out.String(), c.out) ||
				!strings.Contains(errout.String(), c.errout) {
				t.Errorf("code %d, want %d\n%s\n%s", code, c.code, out.String(), errout.String())
			}
			if c.code != exit.Usage && errout.Len() > 0 {
				t.Errorf("a verdict is no error to be told: %s", errout.String())
			}
		})
	}
}

// TestVerifyWithKey holds what a person sees of a signed bundle, and of one that is not.
func TestVerifyWithKey(t *testing.T) {
	public, private, err := bundle.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, own := filepath.Join(dir, "key.pub"), filepath.Join(dir, "key")
	if err := errors.Join(os.WriteFile(key, public, 0o600), os.WriteFile(own, private, 0o600)); err != nil {
		t.Fatal(err)
	}
	signer, err := keeping(t.Context(), filepath.Join(dir, "b"), own)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keeping(t.Context(), "", own); exit.Code(err) != exit.Usage {
		t.Errorf("a key without a bundle: %v", err)
	}
	for dir, want := range map[string]int{current(t, func(c *bundle.Contents) { c.Signer = signer }): exit.OK,
		current(t, nil): exit.Usage} {
		var out, errout bytes.Buffer
		code := Run(t.Context(), []string{"verify", dir, "--key", key}, Streams{In: strings.NewReader(""), Out: &out,
			Err: &errout})
		if code != want {
			t.Errorf("code %d, want %d\n%s\n%s", code, want, out.String(), errout.String())
		}
	}
}
