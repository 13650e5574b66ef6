package bundle

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe"
)

func TestPodFile(t *testing.T) {
	for _, c := range []struct {
		pod, want string
	}{
		{"a", "logs/a.log"},
		{"fortio-server.mark", "logs/fortio-server.mark.log"},
		{strings.Repeat("a", longestPodName), "logs/" + strings.Repeat("a", longestPodName) + ".log"},
		{strings.Repeat("a", longestPodName+1), ""},
		{"", ""}, {".", ""}, {"..", ""}, {"a/b", ""}, {"a.", ""}, {"-a", ""}, {"A", ""}, {"a\n", ""},
	} {
		if got, err := podFile(logDir, c.pod, ".log"); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("pod %q: file %q, %v", c.pod, got, err)
		}
	}
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, dir, want string }{
		{"new", filepath.Join(dir, "run"), ""},
		{"empty", t.TempDir(), ""},
		{"something else is there", dir, "something else than a bundle"},
		{"no parent", filepath.Join(dir, "none", "run"), "make that directory first"},
		{"in a file", filepath.Join(dir, "file", "run"), "file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch err := Writable(c.dir); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || fault.Of(err) != fault.Usage):
				t.Errorf("got %v with kind %q, want %q and kind %q", err, fault.Of(err), c.want, fault.Usage)
			}
		})
	}
}

// TestPartsHaveAPlace holds that every part of evidence has files of its own, and none in a
// directory of another kind of file.
func TestPartsHaveAPlace(t *testing.T) {
	taken := []string{dumpDir, dumpAfterDir, ruleDir}
	for _, part := range observe.Parts() {
		dir, suffix := place(part)
		name, err := podFile(dir, "a.mark", suffix)
		if err != nil || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz-.") != "" || strings.Count(part, ".") > 1 {
			t.Errorf("part %q is no name: %v", part, err)
		}
		if slices.Contains(taken, dir) || slices.Contains(taken, name) {
			t.Errorf("part %q is kept in %s, where something else is", part, name)
		}
		taken = append(taken, name)
	}
}

// TestPartOfNoInstrument holds that evidence which a bundle could not read again is not written
// into one in silence.
func TestPartOfNoInstrument(t *testing.T) {
	c := kept(t, "inbound")
	recording := *c.Recording
	recording.Client.Keep("weather", []byte("fine"))
	c.Recording = &recording
	if _, err := c.files(); err == nil || !strings.Contains(err.Error(), "keep weather of ") {
		t.Errorf("error %v", err)
	}
}
