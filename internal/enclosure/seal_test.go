//go:build linux

package enclosure

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// wordSeal makes this test binary the init of an enclosure that seals a mount.
const wordSeal = "__seal"

func init() { insiders[wordSeal] = insideSeal }

// TestSealedMountCannotBeRemounted seals one of two read-only mounts and tries, as root with every
// privilege, to write.
func TestSealedMountCannotBeRemounted(t *testing.T) { inside(t, wordSeal) }

func insideSeal(root string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := (Mount{Source: "proc", Target: "/proc", Kind: "proc"}).Make("/"); err != nil {
		return err
	}
	for _, dir := range []string{"host/below", "open", "sealed", "copy"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	host, open, sealed := filepath.Join(root, "host"), filepath.Join(root, "open"), filepath.Join(root, "sealed")
	for _, target := range []string{"open", "sealed"} {
		m := Mount{Source: host, Target: target, Flags: unix.MS_BIND | unix.MS_RDONLY}
		if err := m.Make(root); err != nil {
			return err
		}
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGCHLD)
	i := newInit(tested, config{})
	go i.reaper.run(signals)
	if err := i.Seal(sealed); err != nil {
		return err
	}
	if err := tryToWrite(open); err != nil {
		return fmt.Errorf("the mount that is not sealed: %w", err)
	}
	copied := filepath.Join(root, "copy")
	if err := unix.Mount(filepath.Join(sealed, "below"), copied, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	for _, target := range []string{sealed, copied} {
		if err := tryToWrite(target); err == nil {
			return fmt.Errorf("%s could be written to", target)
		} else if !errors.Is(err, unix.EPERM) {
			return err
		}
	}
	return nil
}

// tryToWrite remounts a mount and writes below it.
func tryToWrite(dir string) error {
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "written"), nil, 0o644)
}

// TestProgramOfAnInitCannotBeAltered tries, as root, to give the program of an enclosure's init
// another owner and mode by /proc/PID/exe, as a pod with the node's process ids can by /proc/1/exe,
// and to remount what it stands on.
func TestProgramOfAnInitCannotBeAltered(t *testing.T) {
	const name = "rare-program"
	o := launched(t, name)
	exe := fmt.Sprintf("/proc/%d/exe", o.State().InitPID)
	was, err := os.Stat("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	is, err := os.Stat(exe)
	if err != nil || !os.SameFile(was, is) {
		t.Fatalf("%s is another file: %v", exe, err)
	}
	link, err := unix.Open(exe, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(link)
	for what, try := range map[string]func() error{
		"chmod": func() error { return os.Chmod(exe, was.Mode()|os.ModeSetuid) },
		"chown": func() error { return os.Chown(exe, 65534, 65534) },
		"write": func() error {
			f, err := os.OpenFile(exe, os.O_WRONLY, 0)
			if err == nil {
				_ = f.Close()
			}
			return err
		},
		"remount": func() error {
			return unix.MountSetattr(link, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		},
	} {
		if err := try(); err == nil {
			t.Errorf("%s of %s is allowed", what, exe)
		}
	}
	if now, err := os.Stat("/proc/self/exe"); err != nil || now.Mode() != was.Mode() {
		t.Errorf("the program's mode was %v and is %v, %v", was.Mode(), now.Mode(), err)
	}
	o.Abandon()
	nothingLeft(t, name)
}
