//go:build linux

package enclosure

import (
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A reaper starts the children of an init and waits for all of them: its own and those that were
// orphaned into its PID namespace, such as containerd's shims. os/exec cannot be used beside it,
// since both would wait for the same process.
type reaper struct {
	mu    sync.Mutex
	exits map[int]chan syscall.WaitStatus // of the children that are waited for
}

func newReaper() *reaper { return &reaper{exits: map[int]chan syscall.WaitStatus{}} }

// start runs a program and returns its pid and a channel that yields its end.
func (r *reaper) start(path string, argv []string, attr *os.ProcAttr) (int, <-chan syscall.WaitStatus, error) {
	r.mu.Lock() // so that the child's end cannot be collected before it is known
	defer r.mu.Unlock()
	p, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return 0, nil, fmt.Errorf("start %s: %w", path, err)
	}
	exit := make(chan syscall.WaitStatus, 1)
	r.exits[p.Pid] = exit
	return p.Pid, exit, nil
}

// run collects the dead for as long as signals says that there may be some.
func (r *reaper) run(sigchld <-chan os.Signal) {
	for range sigchld {
		for r.collect() {
		}
	}
}

// collect waits for one dead child and reports whether there was one.
func (r *reaper) collect() bool { return r.collectOnly(-1) }

// collectOnly is collect for one process, or for any when pid is -1.
func (r *reaper) collectOnly(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(pid, &status, unix.WNOHANG, nil)
	if err == syscall.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	if exit, ok := r.exits[pid]; ok {
		delete(r.exits, pid)
		exit <- status
	}
	return true
}
