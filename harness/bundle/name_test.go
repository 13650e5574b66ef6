package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/exit"
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
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || exit.Code(err) != exit.Usage):
				t.Errorf("got %v with code %d, want %q and code %d", err, exit.Code(err), c.want, exit.Usage)
			}
		})
	}
}
