//go:build linux && amd64

package envoy

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/internal/probetest"
)

// probed is a function of this program's own that is probed. It begins with a push, as
// compiled functions with a frame do: the kernel emulates that, where most other
// instructions have to be stepped over.
//
//go:noinline
//go:nosplit
func probed() {
	var frame [4]int
	keep(&frame)
}

//go:noinline
//go:nosplit
func keep(frame *[4]int) { calls += frame[0] + 1 }

var calls int

// ownRecipe is a probe on probed.
func ownRecipe(t testing.TB) Recipe {
	t.Helper()
	address := uint64(reflect.ValueOf(probed).Pointer())
	file, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && address >= p.Vaddr && address < p.Vaddr+p.Filesz {
			return Recipe{Name: "probed", Kind: Request, Probe: address, FileOffset: address - p.Vaddr + p.Off}
		}
	}
	probetest.Skip(t, "the test program is position independent")
	return Recipe{}
}

// TestSite puts a probe on a call, as one on a log statement's call of the gate is: it tells where
// the call returns to.
func TestSite(t *testing.T) {
	probetest.Require(t)
	if err := HaveMulti(); err != nil {
		probetest.Skip(t, err.Error())
	}
	recipe := ownRecipe(t)
	call := callOfKeep(t)
	want := recipe.Probe + call + 5
	recipe.Kind, recipe.Sites = Statement, []Site{{FileOffset: recipe.FileOffset + call, Return: want}}
	records := recordOf(t, os.Getpid(), "/proc/self/exe", recipe, func() {
		probed()
		probed()
	})
	if len(records) != 2 {
		t.Fatalf("%d events, want two", len(records))
	}
	for _, r := range records {
		if r.Kind != Statement || r.Value != want || r.Result != 0 {
			t.Errorf("kind %d at %#x of recipe %d, want %#x", r.Kind, r.Value, r.Result, want)
		}
	}
}

// callOfKeep is where in probed the call of keep stands: E8 and the distance from
// the next instruction.
func callOfKeep(t *testing.T) uint64 {
	t.Helper()
	const longest = 64
	from, to := reflect.ValueOf(probed).Pointer(), reflect.ValueOf(keep).Pointer()
	code := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&from))), longest)
	for i := 0; i+5 <= len(code); i++ {
		if distance := int32(binary.LittleEndian.Uint32(code[i+1:])); code[i] == 0xe8 &&
			from+uintptr(i)+5+uintptr(distance) == to {
			return uint64(i)
		}
	}
	t.Fatal("probed does not call keep")
	return 0
}

// TestEveryThread calls a function on threads that were there when the probe was attached and on
// threads that were not.
func TestEveryThread(t *testing.T) {
	probetest.Require(t)
	const threads = 3
	recipe := ownRecipe(t)
	var tids []uint32
	caller := func(begin <-chan bool, done chan<- uint32) {
		runtime.LockOSThread() // and it ends with the goroutine
		<-begin
		probed()
		done <- uint32(unix.Gettid())
	}
	begin, done := make(chan bool), make(chan uint32)
	for range threads {
		go caller(begin, done)
	}
	call := func() {
		for range threads {
			begin <- true
			tids = append(tids, <-done)
		}
	}
	records := recordOf(t, os.Getpid(), "/proc/self/exe", recipe, func() {
		call()
		for range threads {
			go caller(begin, done)
		}
		call()
	})
	var seen []uint32
	for _, r := range records {
		seen = append(seen, r.TID)
	}
	slices.Sort(tids)
	slices.Sort(seen)
	if len(slices.Compact(slices.Clone(seen))) != 2*threads || probetest.KernelPIDs(t) && !slices.Equal(seen, tids) {
		t.Errorf("threads %v called, seen were %v", tids, seen)
	}
}

// TestContainer probes a process that has namespaces of its own and numbers itself otherwise.
func TestContainer(t *testing.T) {
	probetest.Require(t)
	s := startSubject(t, func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	})
	records := record(t, s, s.recipe(nil), func() { s.say(t, "hello\n") })
	if len(records) != 1 || string(records[0].Data) != "hello\n" {
		t.Fatalf("%d events: %v", len(records), records)
	}
	if pid := uint32(s.command.Process.Pid); probetest.KernelPIDs(t) && records[0].TGID != pid {
		t.Errorf("an event of process %d, want %d", records[0].TGID, pid)
	}
}

// TestEveryLossIsCounted fills a buffer that is not emptied: each hit is either in it or counted as
// lost.
func TestEveryLossIsCounted(t *testing.T) {
	probetest.Require(t)
	s := startSubject(t)
	p, err := load(uint32(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	gate := s.recipe(func(r *Recipe) { r.Name, r.Kind, r.View = "gate", Statement, false })
	if _, err := p.Attach(s.command.Process.Pid, s.library, []Recipe{s.recipe(nil), gate}); err != nil {
		t.Fatal(err)
	}
	const rounds = 50
	for range rounds {
		s.say(t, "hello\n")
	}
	if err := p.Detach(); err != nil {
		t.Fatal(err)
	}
	counts, err := p.Counts()
	if err != nil {
		t.Fatal(err)
	}
	if counts.Emitted == 0 || counts.Lost == 0 || counts.Emitted+counts.Lost != 2*rounds || counts.Missed != 0 {
		t.Errorf("%d calls with two probes each, and the programs counted %+v", rounds, counts)
	}
}
