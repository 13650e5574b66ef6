package explain_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain"
	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
	"github.com/flowproof/lab/harness/infer/authority"
)

func envoy(t *testing.T) string {
	t.Helper()
	path, err := authority.Find()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

// TestFlagsAreEnvoys asks Envoy which response flags there are: it refuses a filter on one that is
// none, and its refusal lists all.
func TestFlagsAreEnvoys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	config := `static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    access_log:
    - name: stdout
      filter: {response_flag_filter: {flags: [none of these]}}
      typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog}
`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), envoy(t), "--mode", "validate", "-c", file).CombinedOutput()
	if err == nil {
		t.Fatal("Envoy takes a flag that is none")
	}
	list := regexp.MustCompile(`value must be in list \[([A-Z ]+)\]`).FindSubmatch(out)
	if list == nil {
		t.Fatalf("Envoy does not list its flags: %s", out)
	}
	var ours []string
	for _, row := range flow.Flags {
		ours = append(ours, row.Flag)
	}
	envoys := strings.Fields(string(list[1]))
	slices.Sort(ours)
	slices.Sort(envoys)
	if !slices.Equal(ours, envoys) {
		t.Errorf("ours   %v\nEnvoy's %v", ours, envoys)
	}
}

// TestProvoked makes Envoy write flags and details, in Istio's format, and holds what is read of
// them, the names of the flags, and the hop at which each request is said to have ended.
func TestProvoked(t *testing.T) {
	dir := t.TempDir()
	ports := provoke(t, envoy(t), dir)
	dump := ownDump(t, filepath.Join(dir, "admin"), ports)
	for _, p := range provocations {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.request(t, ports[p.name])
			lines := explain.Lines(await(t, filepath.Join(dir, p.name+".log"), p), nil)
			if len(lines) == 0 {
				t.Fatal("no line of it can be read")
			}
			line := lines[len(lines)-1]
			for _, l := range lines { // of two requests one can have been the exception
				if strings.Join(l.FlagList(), ",") == p.flags {
					line = l
				}
			}
			e := explain.Request(line, explain.Options{Direction: flow.Gateway})
			if strings.Join(e.Flags, ",") != sorted(p.flags, e.Flags) || !strings.HasPrefix(e.Details, p.details) {
				t.Errorf("flags %v, details %s; want %s, %s", e.Flags, e.Details, p.flags, p.details)
			}
			held := explain.Request(line, explain.Options{Direction: flow.Gateway, Dump: dump})
			if len(held.Differ) > 0 || len(held.Hops) == 0 {
				t.Errorf("the dump of the Envoy that wrote it says otherwise: %+v, %q", held.Differ, held.Open)
			}
			if cluster := line.Value(logformat.Cluster); cluster != "" {
				text := strings.Replace(line.Text, " "+cluster+" ", " another ", 1)
				lie := explain.Request(
					explain.Lines([]byte(text), nil)[0],
					explain.Options{Direction: flow.Gateway, Dump: dump},
				)
				if !slices.ContainsFunc(lie.Differ, func(d flow.Difference) bool { return d.Hop == flow.Cluster }) {
					t.Errorf("a line with another cluster is said to agree: %s", text)
				}
			}
			if e.Ended.Hop != p.ended {
				t.Errorf("ended at %q, want %q: %s", e.Ended.Hop, p.ended, e.Result)
			}
			if len(glossary.Find(e.Details, "")) == 0 {
				t.Errorf("details %s have no entry", e.Details)
			}
			long := string(bytes.TrimSpace(await(t, filepath.Join(dir, p.name+".long"), p)))
			for i, name := range flow.SplitFlags(lastLine(long)) {
				entry, _ := glossary.Of(glossary.Flag, e.Flags[i], "")
				if entry.Long != name {
					t.Errorf("flag %s is %s, and not %s", e.Flags[i], name, entry.Long)
				}
			}
		})
	}
}

// ownDump is the configuration of the Envoy that is provoked, as it gives it itself.
func ownDump(t *testing.T, admin string, ports map[string]string) *configdump.Dump {
	t.Helper()
	address, err := os.ReadFile(admin)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get("http://" + string(address) + "/config_dump?include_eds")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range ports { // the configuration asks for any port
		_, port, _ := net.SplitHostPort(address)
		listener := regexp.MustCompile(
			`("name": "` + name + `",\s+"address": \{\s+"socket_address": \{\s+"address": ` +
				`"127.0.0.1",\s+"port_value": )0`,
		)
		if text = listener.ReplaceAll(text, []byte("${1}"+port)); !bytes.Contains(
			text,
			[]byte(`"port_value": `+port),
		) {
			t.Fatalf("listener %s is not in the dump", name)
		}
	}
	dump, err := configdump.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

// TestDetailsAreEnvoys holds that every details string of the glossary that is not provoked stands
// in Envoy's binary. The reasons in braces stand there with blanks, which Envoy replaces.
func TestDetailsAreEnvoys(t *testing.T) {
	binary, err := os.ReadFile(envoy(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range glossary.All(glossary.English) {
		provoked := slices.ContainsFunc(provocations, func(p provocation) bool {
			return glossary.Base(p.details) == e.Name || strings.Contains(p.details, e.Name)
		})
		there := provoked || bytes.Contains(binary, []byte(e.Name)) ||
			bytes.Contains(binary, []byte(strings.ReplaceAll(e.Name, "_", " ")))
		if e.Kind == glossary.Details && !there &&
			e.Name != "upstream_response_timeout" { // it is said to be the page's
			t.Errorf("%s does not stand in Envoy's binary", e.Name)
		}
	}
}

func lastLine(text string) string { return text[strings.LastIndexByte(text, '\n')+1:] }

// sorted is a list of flags in the order in which Envoy wrote them, where these are the same ones.
func sorted(want string, wrote []string) string {
	a, b := flow.SplitFlags(want), slices.Clone(wrote)
	slices.Sort(a)
	slices.Sort(b)
	if slices.Equal(a, b) {
		return strings.Join(wrote, ",")
	}
	return want
}

// await waits for the line of a provocation in a log; where a request is sent twice, for the
// second's.
func await(t *testing.T, file string, p provocation) []byte {
	t.Helper()
	want := 1
	if p.send == "twice" {
		want = 2
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(file)
		if bytes.Count(text, []byte("\n")) >= want {
			return text
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Envoy has written %q", text)
		case <-tick.C:
		}
	}
}
