package enclosure

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/removal"
)

// A lastWill is what the init does when its guard is gone: it holds on to the host's directories that would be left.
type lastWill struct {
	hierarchies []string // the hierarchies' roots, through descriptors that outlive the change of root
	cgroup      string   // name of the enclosure's directory below each
	runDir      string
}

// openLastWill takes hold of the host's directories while the init still sees them.
func (k Kind) openLastWill(name string) (lastWill, error) {
	w := lastWill{cgroup: k.cgroup(name)}
	all, err := hierarchies()
	if err != nil {
		return w, err
	}
	for _, h := range all {
		held, err := Hold(h.mount)
		if err != nil {
			return w, err
		}
		w.hierarchies = append(w.hierarchies, held)
	}
	dir := k.RunDir(name)
	parent, err := Hold(filepath.Dir(dir))
	if err != nil {
		return w, err
	}
	w.runDir = filepath.Join(parent, filepath.Base(dir))
	return w, nil
}

// Hold returns a path of a file or directory that stays good when its own path cannot be seen any more.
func Hold(dir string) (string, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", dir, err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), nil
}

// execute ends every process of the enclosure, removes its cgroups and its directory on the host.
func (w lastWill) execute(r *reaper) {
	_ = unix.Kill(-1, unix.SIGKILL)
	for { // only the init itself is left when there is nobody to wait for
		r.mu.Lock()
		var status syscall.WaitStatus
		_, err := syscall.Wait4(-1, &status, 0, nil)
		r.mu.Unlock()
		if errors.Is(err, syscall.ECHILD) {
			break
		}
	}
	var trees []string
	for _, root := range w.hierarchies {
		_ = joinCgroup(root)
		trees = append(trees, filepath.Join(root, w.cgroup))
	}
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	_ = sweepCgroups(ctx, trees)
	_ = removal.Held(w.runDir)
}
