package hcm

import (
	"slices"
	"strings"
	"testing"
)

// TestCanonicalPath is the table of RFC 3986, 5.2.4 and 6.2.2, as Envoy's
// PathUtil::canonicalPath applies it.
func TestCanonicalPath(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/a/b": "/a/b", "/a/./b": "/a/b", "/a/../b": "/b", "/../b": "/b", "/a/b/..": "/a/", "/a/.": "/a/",
		`/a\b`: "/a/b", "/%61/%7e": "/a/~", "/a%2fb": "/a%2fb", "/a/%2e%2e/b": "/b", "/%": "/%", "/%6": "/%6",
		"/%zz": "/%zz",
		"//a":  "//a", "*": "*",
	} {
		if got := canonicalPath(path); got != want {
			t.Errorf("%s becomes %s, want %s", path, got, want)
		}
	}
}

// FuzzCanonicalPath holds that no dot segment is left in a path.
func FuzzCanonicalPath(f *testing.F) {
	for _, path := range []string{"/a/../b", `/a\..\b`, "/%2e%2E/a", "/%", "/.../a", "*"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := canonicalPath(path)
		if !strings.HasPrefix(path, "/") {
			return
		}
		segments := strings.Split(got, "/")
		if !strings.HasPrefix(got, "/") || slices.Contains(segments, ".") || slices.Contains(segments, "..") {
			t.Errorf("%q becomes %q", path, got)
		}
	})
}
