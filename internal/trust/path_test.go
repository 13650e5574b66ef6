//go:build linux

package trust

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/trust/trusttest"
)

// ground is a directory that the stranger can reach, in which each case lies.
func ground(t *testing.T) string {
	t.Helper()
	trusttest.NeedRoot(t)
	dir, err := os.MkdirTemp("/run", "trust-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func theirs(path string) error { return os.Lchown(path, trusttest.Stranger, trusttest.Stranger) }

func TestPathIsOursAlone(t *testing.T) {
	const me = trusttest.Stranger + 1
	for name, tc := range map[string]struct {
		make func(dir string) error // makes dir/way/thing
		uid  int
		says string // part of the refusal; empty: it is good
	}{
		"root's":            {func(string) error { return nil }, 0, ""},
		"root's for a user": {func(string) error { return nil }, me, ""},
		"a user's own": {func(d string) error {
			return errors.Join(os.Chown(d+"/way", me, me), os.Chown(d+"/way/thing", me, me))
		}, me, ""},
		"a stranger's directory on the way": {func(d string) error {
			return theirs(d + "/way")
		}, 0, "way belongs to user 65534"},
		"a stranger's file": {func(d string) error {
			return theirs(d + "/way/thing")
		}, 0, "thing belongs to user 65534"},
		"a stranger's, for another user": {func(d string) error {
			return theirs(d + "/way/thing")
		}, me, "belongs to user 65534"},
		"others may write on the way": {func(d string) error {
			return os.Chmod(d+"/way", 0o777)
		}, 0, "way (its mode is 0777)"},
		"a group may write": {func(d string) error {
			return os.Chmod(d+"/way", 0o775)
		}, 0, "way (its mode is 0775)"},
		"others may write to it": {func(d string) error {
			return os.Chmod(d+"/way/thing", 0o666)
		}, 0, "thing (its mode is 0666)"},
		"sticky, and ours in it": {func(d string) error { return os.Chmod(d+"/way", 0o777|fs.ModeSticky) }, 0, ""},
		"sticky, and theirs in it": {func(d string) error {
			return errors.Join(os.Chmod(d+"/way", 0o777|fs.ModeSticky), theirs(d+"/way/thing"))
		}, 0, "thing belongs to user 65534"},
		"a stranger's link": {func(d string) error {
			return errors.Join(os.Remove(d+"/way/thing"), os.Symlink("/etc/passwd", d+"/way/thing"),
				theirs(d+"/way/thing"))
		}, 0, "thing belongs to user 65534"},
		"our link to a stranger's": {func(d string) error {
			return errors.Join(os.Rename(d+"/way", d+"/there"), os.Symlink("there", d+"/way"), theirs(d+"/there"))
		}, 0, "there belongs to user 65534"},
		"our link through where others write": {func(d string) error {
			return errors.Join(os.Rename(d+"/way", d+"/there"), os.Mkdir(d+"/open", 0o755),
				os.Symlink("open/../there", d+"/way"), os.Chmod(d+"/open", 0o777))
		}, 0, "open (its mode is 0777)"},
		"our link to ours": {func(d string) error {
			return errors.Join(os.Rename(d+"/way", d+"/there"), os.Symlink(d+"/there", d+"/way"))
		}, 0, ""},
		"links in a ring": {func(d string) error {
			return errors.Join(os.RemoveAll(d+"/way"), os.Symlink("way", d+"/way"))
		}, 0, "too many links"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := ground(t)
			must(t, os.Mkdir(dir+"/way", 0o755), os.WriteFile(dir+"/way/thing", nil, 0o644), tc.make(dir))
			err := check(filepath.Join(dir, "way", "thing"), tc.uid)
			if tc.says == "" && err != nil {
				t.Error(err)
			}
			if tc.says != "" && (!errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%v, want a refusal with %q", err, tc.says)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		if err := check(filepath.Join(ground(t), "way"), 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, want that nothing lies there", err)
		}
	})
	t.Run("the end others write to, though sticky", func(t *testing.T) {
		dir := ground(t)
		must(t, os.Chmod(dir, 0o777|fs.ModeSticky))
		if err := check(dir, 0); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%v, want a refusal", err)
		}
	})
}

func TestFileIsNoLink(t *testing.T) {
	dir := ground(t)
	must(t, os.WriteFile(dir+"/file", nil, 0o600), os.Symlink("file", dir+"/link"), os.Mkdir(dir+"/dir", 0o700))
	for name, good := range map[string]bool{"file": true, "link": false, "dir": false} {
		if err := File(filepath.Join(dir, name)); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMakeDirIsTheUsersAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(path string) error
		says string
	}{
		"nothing":     {func(string) error { return nil }, ""},
		"made before": {func(p string) error { return os.Mkdir(p, 0o700) }, ""},
		"a stranger's": {func(p string) error {
			return errors.Join(os.Mkdir(p, 0o700), theirs(p))
		}, "belongs to user 65534"},
		"others may read": {func(p string) error { return os.Mkdir(p, 0o750) }, "0750"},
		"a file":          {func(p string) error { return os.WriteFile(p, nil, 0o600) }, "not a directory"},
		"a link":          {func(p string) error { return os.Symlink("elsewhere", p) }, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := ground(t)
			must(t, os.Mkdir(dir+"/elsewhere", 0o700), tc.make(dir+"/labs"))
			err := MakeDir(dir + "/labs/one")
			if tc.says == "" && err != nil {
				t.Error(err)
			}
			if tc.says != "" && (!errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%v, want a refusal with %q", err, tc.says)
			}
			if left, _ := os.ReadDir(dir + "/elsewhere"); len(left) > 0 {
				t.Error("it made something where the link leads")
			}
		})
	}
}
