package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// aMark is what each secret of TestLabShowsNoSecret begins with; two digits say which it is.
const aMark = "MRK5ecretZ"

// markedRequest is a request with a marked secret in every place that a request has.
func markedRequest() (url string, flags []string) {
	n := 0
	next := func() string { n++; return fmt.Sprintf("%s%02d", aMark, n) }
	var query []string
	for _, name := range []string{"token", "access_token", "code", "password",
		"client_secret", "key", "session", "sig", "foo", "X-Amz-Signature"} {
		query = append(query, name+"="+next())
	}
	for _, header := range []string{"authorization: Bearer ", "cookie: sid=", "x-api-key: ", "x-apikey: ", "token: ",
		"x-auth: ", "password: ", "x-key: ", "x-jwt: ",
		"x-tenant: ", "proxy-authorization: Basic ", "x-csrf-token: ", "x-origin-verify: ", "x-anything: "} {
		flags = append(flags, "-H", header+next())
	}
	for _, field := range []string{"password=", "token=", "apikey=", "a=", "secret=", "pin="} {
		flags = append(flags, "-d", field+next())
	}
	return "http://fortio-server:8080/echo?" + strings.Join(query, "&"), flags
}

// TestLabShowsNoSecret sends 30 marked secrets through every instrument of a lab that is up, and
// looks for the marks in every output, every file that was written, and on every command line of
// the machine, which the pods' are among.
func TestLabShowsNoSecret(t *testing.T) {
	kubeconfig := os.Getenv("FLOWPROOF_KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("no lab: FLOWPROOF_KUBECONFIG is not set (try FLOWPROOF_KUBECONFIG=$(lab kubeconfig))")
	}
	t.Setenv("TMPDIR", t.TempDir())
	lines := watchCommandLines(t)
	url, flags := markedRequest()
	dir := t.TempDir()
	config := filepath.Join(dir, "..", "options")
	if err := os.WriteFile(config, []byte("header = \"x-configured: "+aMark+"99\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(verb string, args ...string) []string {
		return append(append([]string{"--kubeconfig", kubeconfig, verb, "--from", "netshoot", "--to", url}, flags...),
			args...)
	}
	if name := os.Getenv("FLOWPROOF_LAB"); name != "" { // by its name eBPF takes part
		ask = func(verb string, args ...string) []string {
			return append(append([]string{"--name", name, verb, "--from", "netshoot", "--to", url}, flags...), args...)
		}
	}
	outputs := map[string]string{}
	keep := func(name string, args ...string) {
		_, stdout, stderr := run(t, args...)
		outputs[name] = stdout + stderr
	}
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	keep("trace", ask("trace", "--events", "-v", "--curl-config", config, "--bundle", one)...)
	keep("trace -o json", ask("trace", "-o", "json", "--events", "--bundle", two)...)
	for _, form := range []string{"text", "json", "junit", "mermaid"} {
		keep("verify -o "+form, "verify", one, "-o", form)
	}
	flags = flags[:28] // infer has no body
	for _, form := range []string{"text", "minimal", "json", "yaml", "mermaid"} {
		keep("infer -o "+form, ask("infer", "-o", form, "--explain")...)
	}
	for name, text := range outputs {
		if at := strings.Index(text, aMark); at >= 0 {
			t.Errorf("%s shows %q", name, text[max(0, at-80):min(len(text), at+40)])
		}
	}
	if !strings.Contains(outputs["trace"], "«redacted ") || !strings.Contains(outputs["trace"], "confirmed") {
		t.Errorf("the trace told nothing: %s", outputs["trace"])
	}
	for _, root := range []string{dir, os.Getenv("TMPDIR")} {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), aMark) {
				t.Errorf("%s holds a secret", path)
			}
			return nil
		})
	}
	for _, line := range lines() {
		t.Errorf("a command line says %q", line)
	}
}

// watchCommandLines reads all command lines again and again until the function that it returns is
// called, which tells those with a mark.
func watchCommandLines(t *testing.T) func() []string {
	t.Helper()
	ended, done := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(ended); <-done })
	t.Cleanup(end)
	var found []string
	marked := regexp.MustCompile(aMark)
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				if text, err := os.ReadFile(file); err == nil && marked.Match(text) {
					found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
				}
			}
			select {
			case <-ended:
				return
			case <-tick.C:
			}
		}
	}()
	return func() []string { end(); return found }
}
