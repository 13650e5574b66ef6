package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/internal/golden"
)

// TestExplainPage keeps the page about explain what the command prints: each block of a console is
// its commands and their output.
func TestExplainPage(t *testing.T) {
	const page = "../../docs/explain.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../../docs")
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		t.Setenv(name, "")
	}
	var b strings.Builder
	inside := false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console\n"
			b.WriteString(line)
		case !inside:
			b.WriteString(line)
		case strings.HasPrefix(line, "$ lab "):
			b.WriteString(line)
			code, out, errs := run(t, words(strings.TrimPrefix(line, "$ lab "))...)
			if code != 0 {
				t.Errorf("%s: exit code %d: %s", strings.TrimSpace(line), code, errs)
			}
			b.WriteString(out)
		}
	}
	t.Chdir("../cmd/lab")
	golden.Equal(t, page, b.String())
}

// words are the words of a command line; quotes of one sort keep one together.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(strings.TrimSpace(line), "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// TestExplainDispatch holds what each kind of WHAT is taken for.
func TestExplainDispatch(t *testing.T) {
	t.Setenv("LANG", "")
	log, err := os.ReadFile("../../docs/samples/netshoot.log")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Split(string(log), "\n")[2]
	dump := "../../scenarios/dumps/netshoot.json.gz"
	archive := filepath.Join(t.TempDir(), "bug-report.tar.gz") // with a node's ztunnel, whose dump is no Envoy's
	writeArchive(
		t,
		archive,
		map[string][]byte{
			"bug-report/proxies/mark/netshoot/istio-proxy.log":    log,
			"bug-report/proxies/mark/netshoot/config_dump":        unzipped(t, dump),
			"bug-report/proxies/istio-system/ztunnel/config_dump": []byte(`{"workloads":{}}`),
		},
	)
	for name, c := range map[string]struct {
		args []string
		code int
		want string // at the beginning of the output, or in the error
	}{
		"a flag":                  {[]string{"UC"}, 0, "UC UpstreamConnectionTermination (flag)"},
		"a flag by its long name": {[]string{"NoRouteFound"}, 0, "NR NoRouteFound (flag)"},
		"several flags":           {[]string{"UF,URX"}, 0, "UF UpstreamConnectionFailure (flag)"},
		"details": {
			[]string{"rbac_access_denied_matched_policy[none]"}, 0,
			"rbac_access_denied_matched_policy (details)",
		},
		"a term": {[]string{"virtualInbound"}, 0, "virtualInbound (term)"},
		"a line": {
			[]string{line}, 0,
			"✗ 503, no healthy upstream host (UH): ended by the proxy at endpoint",
		},
		"a line with a dump": {
			[]string{line, "--dump", dump}, 0,
			"✗ 503, no healthy upstream host (UH): ended by netshoot.mark at endpoint",
		},
		"an archive": {[]string{archive}, 0, "3 of 4 requests failed, in 2 ways"},
		"a request of an archive": {
			[]string{archive, "--id", "77c1cf5e"}, 0,
			"✗ 504, upstream request timeout (UT): netshoot.mark had sent it to 172.21.206.197:8080",
		},
		"an id with an archive": {[]string{"77c1cf5e", "--log", archive}, 0, "✗ 504"},
		"an id that is not there": {
			[]string{archive, "--id", "00000000"}, exit.Usage,
			"none of the 4 lines",
		},
		"no word": {[]string{"nosuchthing"}, exit.Usage, "neither a word"},
		"nothing": {nil, exit.Usage, "nothing to explain"},
		"no log":  {[]string{"77c1cf5e", "--log", "no-such-file"}, exit.Usage, "no-such-file"},
		"a file that is no log": {
			[]string{"explain_test.go"}, exit.Usage,
			"no line of an access log",
		},
		"a direction": {
			[]string{"UH", "--direction", "up"}, exit.Usage,
			"outbound, inbound, gateway",
		},
		"a language": {[]string{"UH", "--lang", "xx"}, exit.Usage, "en, zh"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, append([]string{"explain"}, c.args...)...)
			text := out
			if c.code != 0 {
				text = errs
			}
			if code != c.code || c.code == 0 && !strings.HasPrefix(strings.Join(strings.Fields(text), " "), c.want) ||
				!strings.Contains(strings.Join(strings.Fields(text), " "), c.want) {
				t.Errorf("exit code %d\n%s\n%s", code, out, errs)
			}
			if _, json, _ := run(t, append([]string{"explain", "-o", "json"}, c.args...)...); c.code == 0 &&
				!strings.HasPrefix(json, "{") {
				t.Errorf("no JSON: %s", json)
			}
		})
	}
}

// TestExplainHidesSecrets holds that no form shows what a line's query has.
func TestExplainHidesSecrets(t *testing.T) {
	log, err := os.ReadFile("../../docs/samples/netshoot.log")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "s3cr3tvalue"
	line := strings.Replace(
		strings.Split(string(log), "\n")[2],
		"GET / ",
		"GET /?token="+secret+"&password="+secret+" ",
		1,
	)
	for _, form := range []string{"text", "json", "yaml"} {
		if _, out, errs := run(t, "explain", line, "-o", form); strings.Contains(out+errs, secret) ||
			!strings.Contains(out, "no_healthy_upstream") {
			t.Errorf("%s:\n%s%s", form, out, errs)
		}
	}
}

func unzipped(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeArchive(t *testing.T, path string, files map[string][]byte) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDiffOfBundles compares two kept runs, and one with itself.
func TestDiffOfBundles(t *testing.T) {
	const inbound, outbound = "../../harness/bundle/testdata/inbound", "../../harness/bundle/testdata/outbound"
	for _, c := range []struct {
		other string
		code  int
		want  string
	}{
		{inbound, exit.OK, "✓ the runs differ in nothing"},
		{outbound, exit.Mismatch, "✗ what differs first is the request: url was http://fortio-server:8080/"},
	} {
		if code, out, errs := run(t, "diff", inbound, c.other); code != c.code || !strings.HasPrefix(out, c.want) {
			t.Errorf("%s: exit code %d\n%s%s", c.other, code, out, errs)
		}
	}
	code, out, _ := run(t, "diff", inbound, outbound, "-o", "json")
	if code != exit.Mismatch || !strings.HasPrefix(out, "{") {
		t.Errorf("exit code %d: %.100s", code, out)
	}
}
