package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestReleaseIsTheSameByteForByte makes a release of this platform twice, the second time from a
// copy of the source in another folder, and compares every file.
func TestReleaseIsTheSameByteForByte(t *testing.T) {
	if os.Getenv("FLOWPROOF_RELEASE") == "" {
		t.Skip("it builds the command four times, alone (run: make test-release)")
	}
	here, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	first := release{version: "v1.2.3", dir: filepath.Join(t.TempDir(), "one"),
		platforms: []string{platform}, source: here}
	second := first
	second.dir, second.source = filepath.Join(t.TempDir(), "two"), copied(t, here)
	for _, r := range []release{first, second} {
		if err := r.make(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	names := filesOf(t, first.dir)
	if other := filesOf(t, second.dir); !slices.Equal(names, other) {
		t.Fatalf("one made %v, the other %v", names, other)
	}
	for _, name := range names {
		a, errA := os.ReadFile(filepath.Join(first.dir, name))
		b, errB := os.ReadFile(filepath.Join(second.dir, name))
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
	holds(t, first, names)
}

// holds looks into what was made.
func holds(t *testing.T, r release, names []string) {
	t.Helper()
	archive := "lab_v1.2.3_" + runtime.GOOS + "_" + runtime.GOARCH
	for _, want := range []string{archive + ".tar.gz", archive + ".cdx.json", "lab_v1.2.3_image.tar.gz", "lab.yaml",
		"checksums.txt"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s among %v", want, names)
		}
	}
	members := unpack(t, filepath.Join(r.dir, archive+".tar.gz"))
	for _, want := range []string{"lab", "LICENSE", "README.md", "man/man1/lab.1", "man/man1/lab-trace.1",
		"completions/_lab"} {
		if len(members[want]) == 0 {
			t.Errorf("the archive has no %s", want)
		}
	}
	lab := filepath.Join(t.TempDir(), "lab")
	if err := os.WriteFile(lab, members["lab"], 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(lab, "version").CombinedOutput(); err != nil ||
		!strings.HasPrefix(string(out), "lab v1.2.3 ") {
		t.Errorf("the command in the archive says %q, %v", out, err)
	}
	image := unpack(t, filepath.Join(r.dir, "lab_v1.2.3_image.tar.gz"))
	if len(image["index.json"]) == 0 || len(image["oci-layout"]) == 0 {
		t.Error("the image is no OCI layout")
	}
	var plugin struct {
		Spec struct {
			Platforms []struct{ URI, SHA256 string }
		}
	}
	data, err := os.ReadFile(filepath.Join(r.dir, "lab.yaml"))
	if err == nil {
		err = yaml.Unmarshal(data, &plugin)
	}
	sum, sumErr := sha256File(filepath.Join(r.dir, archive+".tar.gz"))
	if err := errors.Join(err, sumErr); err != nil {
		t.Fatal(err)
	}
	if p := plugin.Spec.Platforms; len(p) != 1 || p[0].SHA256 != sum ||
		!strings.HasSuffix(p[0].URI, archive+".tar.gz") {
		t.Errorf("the plugin's manifest names %+v, and the archive has the sum %s", p, sum)
	}
}

// copied is a copy of what the repository holds, in another folder.
func copied(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "LICENSE", "README.md"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bpf", "cmd", "docs", "harness", "internal", "manifests", "scenarios"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(from, name))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// unpack is an archive's files by name.
func unpack(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	members, archive := map[string][]byte{}, tar.NewReader(plain)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			t.Fatal(err)
		}
		if members[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}
