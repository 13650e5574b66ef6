//go:build linux

package enclosure

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// traces makes what a killed enclosure leaves: a cgroup in every hierarchy with a process in
// it, and a directory.
func traces(t *testing.T, k Kind, name string) *exec.Cmd {
	t.Helper()
	needRoot(t)
	trees, err := cgroupTrees(k.cgroup(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.removeTraces(context.Background(), name) })
	sleep := exec.Command("sh", "-c",
		`for tree; do echo $$ > "$tree/cgroup.procs" || exit; done; echo; exec sleep 600`, "sh")
	sleep.Args = append(sleep.Args, trees...)
	all, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	for i, tree := range trees {
		if err := os.Mkdir(tree, 0o755); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(all[i].mount) == "cpuset" {
			if err := inheritCPUSet(all[i].mount, tree); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := sleep.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatalf("enter the cgroups: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(k.RunDir(name), "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	return sleep
}

func ownCgroups(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSweepLeft(t *testing.T) {
	k, name := Kind{Name: "swept", Suffix: ".swept", Noun: "lab"}, "a"
	sleep, before := traces(t, k, name), ownCgroups(t)
	if err := k.SweepLeft(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := sleep.Wait(); err == nil {
		t.Error("the process in the cgroup came to its own end")
	}
	if left, err := k.left(name); left || err != nil {
		t.Errorf("traces are left: %v, %v", left, err)
	}
	if after := ownCgroups(t); after != before {
		t.Errorf("the caller was in\n%s\nand is now in\n%s", before, after)
	}
}

// TestSweepLeftLeavesAGuardAlone sweeps while a guard answers, and while another process sweeps.
func TestSweepLeftLeavesAGuardAlone(t *testing.T) {
	k, name := Kind{Name: "swept", Suffix: ".swept", Noun: "lab"}, "b"
	sleep := traces(t, k, name)
	l, err := k.listen(name)
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{kind: k, board: newBoard(), stop: make(chan string, 1)}
	go g.serveControl(l)
	if err := k.SweepLeft(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if left, err := k.left(name); !left || err != nil || sleep.ProcessState != nil {
		t.Errorf("traces of a guarded enclosure are left: %v, %v", left, err)
	}
	_ = l.Close()

	sweeper, err := k.listen(name)
	if err != nil {
		t.Fatal(err)
	}
	swept := make(chan error, 1)
	go func() { swept <- k.SweepLeft(t.Context(), name) }()
	select {
	case err := <-swept:
		t.Errorf("it did not wait for another who sweeps: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	_ = sweeper.Close()
	if err := <-swept; err != nil {
		t.Fatal(err)
	}
	if left, err := k.left(name); left || err != nil {
		t.Errorf("traces are left: %v, %v", left, err)
	}
	_ = sleep.Wait()
}

// TestDirectoryGoesThoughCgroupsStay sweeps with a context that has ended.
func TestDirectoryGoesThoughCgroupsStay(t *testing.T) {
	k, name := Kind{Name: "swept", Suffix: ".swept", Noun: "lab"}, "c"
	sleep := traces(t, k, name)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = k.removeTraces(ctx, name) // whether one attempt was enough is the kernel's matter
	if _, err := os.Lstat(k.RunDir(name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
	_ = sleep.Wait()
}
