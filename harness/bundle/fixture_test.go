package bundle

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/redact"
)

// recordedBy reads a bundle that a real lab wrote, as it was written.
func recordedBy(t testing.TB, name string) Contents {
	t.Helper()
	c, err := Read(t.Context(), filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// kept is a bundle that a real lab wrote, as the same run would be written now: what follows from
// its raw parts is made anew, so that another wording of inference makes no other test data.
func kept(t testing.TB, name string) Contents {
	t.Helper()
	c := recordedBy(t, name)
	c.Run, _ = judged(t, c)
	c.Run.Pools = pools(*c.Recording)
	c.Verdict = verify.Judge(c.Run)
	return c
}

// judged judges contents again.
func judged(t testing.TB, c Contents) (flow.Run, flow.RunVerdict) {
	t.Helper()
	run, verdict, err := Judge(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return run, verdict
}

// contents are the run of testdata/outbound with a secret in each place that could hold one.
func contents(t testing.TB) Contents {
	t.Helper()
	c := kept(t, "outbound")
	recording := *c.Recording
	c.Recording = &recording
	const secret = "Bearer hunter2hunter2"
	c.Question.Call.Headers = flow.Headers{"authorization": {secret}}
	recording.Curl = bytes.Replace(recording.Curl, []byte("> Accept: */*"),
		[]byte("> Authorization: "+secret+"\n> Accept: */*"), 1)
	for _, pod := range []*observe.Pod{&recording.Client, &recording.Server} {
		pod.Keep(instrument.LogText, bytes.ReplaceAll(pod.Part(instrument.LogText), []byte("'accept', '*/*'\n"),
			[]byte("'accept', '*/*'\n'authorization', '"+secret+"'\n")))
	}
	recording.Server.Keep(instrument.LogText, append(slices.Clone(recording.Server.Part(instrument.LogText)),
		[]byte("'authorization', '"+secret+"'\n")...))
	events := *recording.Trace
	head, ok := trace.ParseHTTP([]byte("GET /?access_token=hunter2hunter2 HTTP/1.1\r\nauthorization: " + secret +
		"\r\ncookie: hunter2hunter2\r\n\r\n"))
	if !ok {
		t.Fatal("it is no head")
	}
	events.Events = append(slices.Clone(events.Events),
		trace.Event{Time: events.Events[len(events.Events)-1].Time, Kind: trace.Read, Pod: "netshoot.mark",
			HTTP: &head})
	for i, e := range events.Events {
		if e.HTTP != nil && e.HTTP.RequestID == recording.RequestID {
			more := *e.HTTP
			more.Headers = append(slices.Clone(more.Headers), "authorization: "+redact.Header("authorization", secret))
			events.Events[i].HTTP = &more
		}
	}
	events.Counts.Emitted++
	recording.Trace = &events
	for _, dumps := range []map[string][]byte{c.Dumps, c.After} {
		for pod, dump := range dumps {
			dumps[pod] = bytes.Replace(dump, []byte("{"), []byte(`{"private_key":{"inline_string":"hunter2"},`), 1)
		}
	}
	var err error
	c.Run.Call = c.Question.Call
	if c.Run.Path, err = c.Question.Path(c.Dumps); err != nil {
		t.Fatal(err)
	}
	if c.Run.Observations, c.Run.Watches, err = recording.Observe(); err != nil {
		t.Fatal(err)
	}
	c.Run.Configuration, _ = c.held(c.Run.Path)
	c.Verdict = verify.Judge(c.Run)
	return c
}

// template is the bundle of contents, written once: each test changes a copy.
var template struct {
	sync.Once
	dir string
}

func written(t testing.TB) string {
	t.Helper()
	template.Do(func() {
		parent, err := os.MkdirTemp("", "bundle-")
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(parent, "bundle")
		if _, err := Write(dir, contents(t)); err != nil {
			t.Fatal(err)
		}
		template.dir = dir
	})
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := os.CopyFS(dir, os.DirFS(template.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if template.dir != "" {
		_ = os.RemoveAll(filepath.Dir(template.dir))
	}
	os.Exit(code)
}

// edit replaces text in one of a bundle's files.
func edit(file, old, new string) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		t.Helper()
		name := filepath.Join(dir, file)
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte(old)) {
			t.Fatalf("%s does not hold %q (%v)", file, old, err)
		}
		if err := os.WriteFile(name, bytes.ReplaceAll(text, []byte(old), []byte(new)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// remove takes one of a bundle's files away.
func remove(file string) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
}

// forge makes every checksum fit what was changed, as a forger would who knows the format.
func forge(change func(testing.TB, string)) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		t.Helper()
		change(t, dir)
		reseal(t, dir)
	}
}

// reseal makes the checksums of a bundle fit its files.
func reseal(t testing.TB, dir string) {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sealed(t, files)
	for _, name := range []string{manifestFile, questionFile, recordingFile} {
		if files[name] == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// sealed makes the checksums among files fit the others: those of the dumps, of the
// raw texts, and of all.
func sealed(t testing.TB, files map[string][]byte) {
	t.Helper()
	sums := func(owner, member string, mine func(name string) bool) {
		if files[owner] == nil {
			return
		}
		var document map[string]any
		if err := json.Unmarshal(files[owner], &document); err != nil {
			t.Fatalf("%s: %v", owner, err)
		}
		all := map[string]string{}
		for name, text := range files {
			if mine(name) {
				all[name] = checksum(text)
			}
		}
		document[member] = all
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		files[owner] = text
	}
	isGiven := func(name string) bool {
		dir, _, _ := strings.Cut(name, "/")
		return dir == dumpDir || dir == dumpAfterDir || dir == ruleDir
	}
	sums(questionFile, "dumps", isGiven)
	sums(recordingFile, "parts", func(name string) bool { return !isGiven(name) && !strings.HasSuffix(name, ".json") })
	sums(manifestFile, "files", func(name string) bool { return name != manifestFile })
}
