package removal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// wordMounted makes this test binary one that mounts, in a mount namespace of its own.
const wordMounted = "__mounted"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == wordMounted {
		if err := insideMounted(os.Args[2], os.Args[3]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func write(t *testing.T, root string, files ...string) {
	t.Helper()
	for _, name := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// tree lists what is at and below a path.
func tree(path string) (found []string) {
	_ = filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err == nil {
			found = append(found, p)
		}
		return nil
	})
	return found
}

func TestAll(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, path string){
		"nothing":     func(*testing.T, string) {},
		"a file":      func(t *testing.T, path string) { write(t, filepath.Dir(path), filepath.Base(path)) },
		"a directory": func(t *testing.T, path string) { write(t, path, "a", "b/c", "b/d/e") },
		"a link to a directory": func(t *testing.T, path string) {
			if err := os.Symlink("beside", path); err != nil {
				t.Fatal(err)
			}
		},
		"links below": func(t *testing.T, path string) {
			write(t, path, "b/c")
			for link, target := range map[string]string{"l": "../beside", "b/m": "../../beside/kept",
				"b/n": "/nowhere"} {
				if err := os.Symlink(target, filepath.Join(path, link)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"without permission": func(t *testing.T, path string) {
			write(t, path, "b/c", "d/e")
			for dir, mode := range map[string]fs.FileMode{"b": 0o500, "d": 0o000} {
				if err := os.Chmod(filepath.Join(path, dir), mode); err != nil {
					t.Fatal(err)
				}
			}
		},
		"a fifo": func(t *testing.T, path string) {
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for _, without := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, without openat2 %v", name, without), func(t *testing.T) {
				withoutOpenat2.Store(without)
				defer withoutOpenat2.Store(false)
				root := t.TempDir()
				write(t, root, "beside/kept")
				before := tree(root)
				path := filepath.Join(root, "path")
				make(t, path)
				if err := All(path); err != nil {
					t.Fatal(err)
				}
				if after := tree(root); !slices.Equal(after, before) {
					t.Errorf("there was %q, and is %q", before, after)
				}
			})
		}
	}
}

func TestDirectories(t *testing.T) {
	root := t.TempDir()
	write(t, root, "tree/a/b/file")
	if err := os.MkdirAll(filepath.Join(root, "tree/c/d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Directories(filepath.Join(root, "tree")); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("a file is there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "tree/a/b/file")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "tree/c")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
}

// TestMountsAreNotEntered binds a person's folder, and a file of his, below a
// directory that is removed.
func TestMountsAreNotEntered(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("mounts: needs root, and CI has to run it")
		}
		t.Skip("mounts: needs root")
	}
	for _, what := range []string{"folder", "file", "top", "meanwhile", "meanwhile-file", "meanwhile-without-openat2",
		"directories", "spaces"} {
		t.Run(what, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, "person/a", "person/b/c", "ours/x", "ours/y/z/file", "ours/y/with space/w")
			if err := os.MkdirAll(filepath.Join(root, "person/empty/empty"), 0o755); err != nil {
				t.Fatal(err)
			}
			before := tree(filepath.Join(root, "person"))
			cmd := exec.Command("/proc/self/exe", wordMounted, what, root)
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if after := tree(filepath.Join(root, "person")); !slices.Equal(after, before) {
				t.Errorf("the person's folder had %q, and has %q", before, after)
			}
		})
	}
}

func insideMounted(what, root string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	source, target, ours := "person", "ours/y/z", filepath.Join(root, "ours")
	remove := All
	whole := true // nothing may have been removed
	switch what {
	case "file", "meanwhile-file":
		source, target = "person/a", "ours/y/z/file"
	case "top":
		target = "ours"
	case "spaces":
		target = "ours/y/with space"
	}
	switch what {
	case "meanwhile", "meanwhile-file":
		remove, whole = func(dir string) error { return walk(dir, true) }, false
	case "meanwhile-without-openat2":
		withoutOpenat2.Store(true)
		remove, whole = func(dir string) error { return walk(dir, true) }, false
	case "directories":
		remove, whole = Directories, false
	}
	target = filepath.Join(root, target)
	if err := unix.Mount(filepath.Join(root, source), target, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	before := tree(ours)
	err := remove(ours)
	mounted, ok := errors.AsType[*MountedError](err)
	if !ok || mounted.Point != target || !strings.Contains(err.Error(), "umount "+target) {
		return fmt.Errorf("the error is %v, want one that names %s", err, target)
	}
	if after := tree(ours); whole && !slices.Equal(after, before) {
		return fmt.Errorf("there was %q, and is %q", before, after)
	}
	if err := unix.Unmount(target, 0); err != nil {
		return err
	}
	return All(ours)
}

func FuzzPointBelow(f *testing.F) {
	f.Add("36 35 98:0 /mnt1 /tmp/a\\040b/c rw,noatime master:1 - ext3 /dev/root rw\n", "/tmp/a b")
	f.Add("36 35 98:0 / /tmp/abc rw - ext3 x rw", "/tmp/ab")
	f.Add("1 2 3", "")
	f.Fuzz(func(t *testing.T, mountinfo, path string) {
		if point := pointBelow(mountinfo, path); point != "" && !strings.HasPrefix(point, path) {
			t.Errorf("%q is not below %q", point, path)
		}
	})
}
