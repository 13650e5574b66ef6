//go:build linux

package enclosure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/wait"
)

// A hierarchy is one mounted cgroup hierarchy of the host: a controller of version 1, or
// the unified version 2.
type hierarchy struct {
	mount    string // absolute path of the mount point
	options  string // controllers of a version 1 hierarchy, as mount(2) takes them: "cpu,cpuacct", "name=systemd"
	unified  bool
	readOnly bool // the mount: nothing can be made in it
	optional bool // the unified one beside version 1: an enclosure can do without a place in it
}

// hierarchies reads the host's cgroup hierarchies from /proc/self/mountinfo: those of version 1 or,
// where there are none, the unified one. On a hybrid host it comes last, after version 1: it limits
// nothing there, but a systemd in a container makes directories below its own place in it, and that
// place has to be the enclosure's.
func hierarchies() ([]hierarchy, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read the host's cgroup mounts: %w", err)
	}
	v1, v2 := parseHierarchies(string(data))
	switch {
	case len(v2) > 0 && (len(v1) == 0 || !v2[0].readOnly):
		v2[0].optional = len(v1) > 0
		return append(v1, v2[0]), nil
	case len(v1) > 0:
		return v1, nil
	}
	return nil, errors.New("find a cgroup hierarchy: none is mounted (mount -t cgroup2 none /sys/fs/cgroup)")
}

// parseHierarchies takes the text of a mountinfo file; source of its fields: proc_pid_mountinfo(5).
func parseHierarchies(mountinfo string) (v1, v2 []hierarchy) {
	seen := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 3 {
			continue
		}
		h := hierarchy{mount: left[4]}
		switch right[0] {
		case "cgroup2":
			h.unified = true
			h.readOnly = slices.Contains(strings.Split(left[5], ","), "ro")
			v2 = append(v2, h)
		case "cgroup":
			h.options = controllers(right[2])
			if !seen[h.options] {
				seen[h.options] = true
				v1 = append(v1, h)
			}
		}
	}
	return v1, v2
}

// controllers takes the super block options of a version 1 mount and leaves what
// names the hierarchy.
func controllers(options string) string {
	var keep []string
	for o := range strings.SplitSeq(options, ",") {
		switch {
		case o == "rw", o == "ro", o == "xattr", o == "clone_children", strings.HasPrefix(o, "release_agent="):
		default:
			keep = append(keep, o)
		}
	}
	return strings.Join(keep, ",")
}

// cgroupTrees returns the directory of that name in every hierarchy.
func cgroupTrees(name string) ([]string, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var trees []string
	for _, h := range all {
		trees = append(trees, filepath.Join(h.mount, name))
	}
	return trees, nil
}

// enterCgroups makes the directories of that name and moves the calling process into them.
func enterCgroups(name string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	return enterAll(all, name)
}

func enterAll(all []hierarchy, name string) error {
	for _, h := range all {
		if err := h.enter(name); err != nil && !h.optional {
			return err
		}
	}
	return nil
}

// enter makes the directory of that name in a hierarchy and moves the calling process into it. In
// an optional one it tries first whether the process can come back: in a container it may not be
// let into the root, and a sweeper that cannot leave the directory cannot remove it.
func (h hierarchy) enter(name string) error {
	if h.optional {
		if err := joinCgroup(h.mount); err != nil {
			return err
		}
	}
	dir := filepath.Join(h.mount, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the enclosure's cgroup: %w", err)
	}
	if strings.Contains(h.options, "cpuset") {
		if err := inheritCPUSet(h.mount, dir); err != nil {
			return err
		}
	}
	return joinCgroup(dir)
}

// inheritCPUSet gives a new version 1 cpuset its parent's processors; without them nothing
// can be moved into it.
func inheritCPUSet(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return fmt.Errorf("read the host's cpuset: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return fmt.Errorf("set up the enclosure's cpuset: %w", err)
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.clone_children"), []byte("1"), 0o644)
}

// joinCgroup moves the calling process into a cgroup; 0 is the writer itself in
// every PID namespace.
func joinCgroup(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644); err != nil {
		return fmt.Errorf("enter cgroup %s: %w", dir, err)
	}
	return nil
}

// cgroupMembers returns the host's process ids of everything in the trees.
func cgroupMembers(trees []string) []int {
	seen := map[int]bool{}
	var pids []int
	for _, tree := range trees {
		_ = filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil // a directory that went away meanwhile has no members
			}
			data, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			for f := range strings.FieldsSeq(string(data)) {
				if pid, err := strconv.Atoi(f); err == nil && pid > 0 && !seen[pid] {
					seen[pid] = true
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// sweepCgroups ends everything in the trees and removes them. It leaves the calling process alive:
// the caller has moved itself out before. It returns when the directories are gone or ctx ends.
func sweepCgroups(ctx context.Context, trees []string) error {
	var left error
	// A killed process leaves its cgroup a moment later; there is no event for version 1.
	err := wait.Until(ctx, 10*time.Millisecond, func() (bool, error) {
		for _, pid := range cgroupMembers(trees) {
			if pid != os.Getpid() {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		left = removeTrees(trees)
		return left == nil, nil
	})
	if err != nil {
		return fmt.Errorf("remove the enclosure's cgroups: %w (still there: %w)", err, left)
	}
	return nil
}

// removeTrees removes directories with those below and returns the first error.
func removeTrees(trees []string) error {
	var first error
	for _, tree := range trees {
		if err := removal.Directories(tree); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// DelegateCgroups makes version 2 controllers usable below the enclosure's root: a cgroup that has
// processes cannot have children with controllers, so the init steps into a leaf of its own first.
// Version 1 has no such rule.
func DelegateCgroups() error {
	const root = "/sys/fs/cgroup"
	data, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // version 1
	}
	if err != nil {
		return fmt.Errorf("read the cgroup's controllers: %w", err)
	}
	leaf := filepath.Join(root, "init")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the init's cgroup: %w", err)
	}
	if err := joinCgroup(leaf); err != nil {
		return err
	}
	var enable []string
	for c := range strings.FieldsSeq(string(data)) {
		enable = append(enable, "+"+c)
	}
	if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"),
		[]byte(strings.Join(enable, " ")), 0o644); err != nil {
		return fmt.Errorf("enable the cgroup's controllers: %w", err)
	}
	return nil
}

// leaveCgroups moves the calling process out of the enclosure's directories into the hierarchies'
// roots, so that the directories can be removed.
func leaveCgroups() error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	return leaveAll(all)
}

func leaveAll(all []hierarchy) error {
	for _, h := range all {
		if err := joinCgroup(h.mount); err != nil && !h.optional {
			return err
		}
	}
	return nil
}

// stepAside moves the guard into a leaf of a version 2 tree, as DelegateCgroups does with the init.
func stepAside(name string) error {
	all, err := hierarchies()
	if err != nil || !all[0].unified {
		return err
	}
	leaf := filepath.Join(all[0].mount, name, "guard")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the guard's cgroup: %w", err)
	}
	return joinCgroup(leaf)
}
