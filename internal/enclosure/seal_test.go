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

// TestSealedMountCannotBeRemounted seals one of two read-only mounts and tries, as root with every privilege, to write.
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
