//go:build linux && amd64

package kernel

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/internal/probetest"
	"github.com/flowproof/lab/bpf/probe"
)

// TestTalk is what the other tests run in a process of its own.
func TestTalk(t *testing.T) {
	if os.Getenv(talkVariable) == "" {
		t.Skip("it is for a process that another test starts")
	}
	if os.Getpid() != 1 {
		t.Errorf("process id %d: the process is not the first of a PID namespace", os.Getpid())
	}
	talk(t, "GET /later HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n")
}

const talkVariable = "FLOWPROOF_TEST_TALK"

// TestProcessThatStartsLater watches a namespace in which a process starts, as in a container: it
// has a PID namespace of its own and numbers itself otherwise than the watch does.
func TestProcessThatStartsLater(t *testing.T) {
	probetest.Require(t)
	var pid int
	records := watch(t, Options{Data: DefaultData}, func() {
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestTalk$")
		cmd.Env = append(os.Environ(), talkVariable+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		pid = cmd.Process.Pid
	})
	of := func(kind uint16) (found []probe.Record) {
		for _, r := range records {
			if r.Kind == kind {
				found = append(found, r)
			}
		}
		return found
	}
	executed, reads := of(Exec), of(Read)
	if len(executed) != 1 || executed[0].Process() != "exe" {
		t.Errorf("%d programs were seen to start, want one named exe", len(executed))
	}
	if !slices.ContainsFunc(reads, func(r probe.Record) bool {
		return strings.HasPrefix(string(r.Data), "GET /later")
	}) {
		t.Errorf("what it read was not seen among %d reads", len(reads))
	}
	for _, r := range records {
		if probetest.KernelPIDs(t) && r.TGID != 0 && r.TGID != uint32(pid) {
			t.Errorf("an event of process %d, want %d", r.TGID, pid)
		}
	}
}

func TestEveryThread(t *testing.T) {
	probetest.Require(t)
	const threads = 4
	var tids []int
	records := watch(t, Options{}, func() {
		here, err := netns.Get()
		if err != nil {
			t.Fatal(err)
		}
		defer here.Close()
		for range threads {
			done := make(chan int)
			go func() {
				defer close(done)
				runtime.LockOSThread() // and it ends with the goroutine
				if err := netns.Set(here); err != nil {
					t.Error(err)
					return
				}
				talk(t, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n")
				done <- unix.Gettid()
			}()
			tids = append(tids, <-done)
			<-done
		}
	})
	for _, tid := range tids {
		if !slices.ContainsFunc(records, func(r probe.Record) bool {
			return r.TID == uint32(tid) && r.Kind == Accept
		}) {
			t.Errorf("thread %d accepted a connection, and it was not seen", tid)
		}
	}
}

func TestLeftOff(t *testing.T) {
	probetest.Require(t)
	set, err := Load(Options{Without: []string{"sys_enter", "sys_exit"}})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if err := Start(set); err != nil {
		t.Fatal(err)
	}
	for _, s := range set.Statuses() {
		if off := s.Name == "sys_enter" || s.Name == "sys_exit"; s.Attached == off ||
			off != (s.Problem == probe.LeftOff) {
			t.Errorf("%+v", s)
		}
	}
	if set, err := Load(Options{Without: []string{"sys_exti"}}); err == nil {
		_ = set.Close()
		t.Error("a probe that does not exist can be left off")
	}
}

// smallest is a set that watches a namespace of its own and has as little room for
// events as there can be.
func smallest(t *testing.T) *probe.Set {
	t.Helper()
	ns := probetest.Namespace(t)
	set, err := Load(Options{Data: DefaultData, Buffer: os.Getpagesize()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = set.Close() })
	if err := set.Watch(ns); err != nil {
		t.Fatal(err)
	}
	return set
}

// TestEveryLossIsCounted fills a buffer that is not emptied: each event is either in it or counted
// as lost.
func TestEveryLossIsCounted(t *testing.T) {
	probetest.Require(t)
	set := smallest(t)
	writer, reader := pair(t)
	set.AttachTracepoints()
	const rounds = 500
	buffer := make([]byte, 100)
	for range rounds {
		if _, err := unix.Write(writer, buffer[:10]); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Read(reader, buffer); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Detach(); err != nil {
		t.Fatal(err)
	}
	counts, err := set.Counts()
	if err != nil {
		t.Fatal(err)
	}
	if counts.Emitted == 0 || counts.Emitted+counts.Lost != 2*rounds || counts.Missed != 0 {
		t.Errorf("%d system calls, and the programs counted %+v", 2*rounds, counts)
	}
}
