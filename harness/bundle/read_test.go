package bundle

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flowproof/lab/harness/fault"
)

func TestReadMalformed(t *testing.T) {
	write := func(file, text string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600) }
	}
	instead := func(file string, put func(path string) error) func(string) error {
		return func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, file)), put(filepath.Join(dir, file)))
		}
	}
	for _, c := range []struct {
		name   string
		damage func(string) error
		want   string
	}{
		{"no manifest", func(dir string) error {
			return os.Remove(filepath.Join(dir, manifestFile))
		}, "there is no bundle.json in it, so it is not a bundle"},
		{"manifest of another layout", write(manifestFile, `{"schema":"x/v9"}`),
			`bundle.json: schema "x/v9" is neither flowproof.dev/bundle/v2`},
		{"run cut off", write(runFile, "{\n \"schema\": "), "run.json: line 2: "},
		{"run of another type", write(runFile, "{\n\"observations\": 7}"),
			"run.json: line 2: observations is a number where a"},
		{"run of another release", write(runFile, `{"schema":"flowproof.dev/run/v9"}`),
			`run.json: schema "flowproof.dev/run/v9" is not`},
		{"run missing", func(dir string) error { return os.Remove(filepath.Join(dir, runFile)) }, "run.json: "},
		{"events cut off", write(traceFile, `{"schema":"flowproof.dev/trace/v2"}`+"\n{"),
			"trace.jsonl: read trace: line 2: "},
		{"binary", write(runFile, "\x00\x01\xff"), "run.json: line 1: "},
		{"recording names a file outside", write(recordingFile, `{"client":{"name":"../../../etc/passwd"}}`),
			"recording.json: name a file after pod \"../../../etc/passwd\""},
		{"a link out of the bundle", instead(curlFile, func(path string) error {
			return os.Symlink("/etc/passwd", path)
		}), "curl.txt: "},
		{"a directory for a file", instead(curlFile, func(path string) error { return os.Mkdir(path, 0o700) }),
			"curl.txt: "},
		{"a pipe for a file", instead(curlFile, func(path string) error { return syscall.Mkfifo(path, 0o600) }),
			"curl.txt: not a regular file: it is a pipe"},
		{"a pipe for the manifest", instead(manifestFile, func(path string) error {
			return syscall.Mkfifo(path, 0o600)
		}), "bundle.json: not a regular file: it is a pipe"},
		{"a pipe for a dump", instead("dumps/netshoot.mark.json", func(path string) error {
			return syscall.Mkfifo(path, 0o600)
		}), "dumps/netshoot.mark.json: not a regular file"},
		{"more than curl prints", func(dir string) error { return os.Truncate(filepath.Join(dir, curlFile), 400<<20) },
			"curl.txt: too large: 400 MiB, and at most 16 MiB are read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Read(t.Context(), dir)
			if fault.Of(err) != fault.Usage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Read(t.Context(), filepath.Join(t.TempDir(), "nowhere")); fault.Of(err) != fault.Usage {
		t.Errorf("error %v", err)
	}
}

// FuzzRead reads bundles whose main parts are anything: nothing may panic, and every
// verdict has a result.
func FuzzRead(f *testing.F) {
	f.Add([]byte(
		`{"schema":"flowproof.dev/run/v1","path":{"hops":[{"kind":"app","expect":[{"name":"status","join":"x"}]}]},`+
			`"observations":[{}],"watches":[{}]}`),
		[]byte(`{"client":{"name":"a.b","ip":"1.2.3.4"},"server":{"name":"c.d"}}`),
		[]byte(`{"schema":"flowproof.dev/question/v1","call":{"url":"http://a/"}}`))
	f.Fuzz(func(t *testing.T, run, recording, question []byte) {
		dir := t.TempDir()
		files := map[string][]byte{runFile: run, recordingFile: recording, questionFile: question,
			verdictFile: []byte("{}")}
		description := manifest{Schema: Schema, Files: map[string]string{}}
		for name, text := range files {
			description.Files[name] = checksum(text)
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text, err := json.Marshal(description)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, manifestFile), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, err := Read(t.Context(), dir); err == nil {
			if _, v := judged(t, c); v.Result == "" {
				t.Error("a run without a result")
			}
		}
	})
}
