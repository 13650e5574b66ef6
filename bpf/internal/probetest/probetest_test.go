//go:build linux && amd64

package probetest

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { Main(m) }

// leakVariable tells the test that runs again below which thing to leave behind.
const leakVariable = "PROBETEST_LEAK"

// kept keeps what is left behind from the garbage collector, which would close it.
var kept []any

// leaks are the things of BPF that a test can leave behind.
var leaks = map[string]func(t *testing.T){
	"nothing": func(*testing.T) {},
	"map": func(t *testing.T) {
		keep(ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}))(t)
	},
	"program":             func(t *testing.T) { kept = append(kept, program(t)) },
	"attached tracepoint": attach,
	"attached uprobe":     attachToFunction,
	"pin":                 pin,
}

func keep[T any](object T, err error) func(*testing.T) {
	return func(t *testing.T) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, object)
	}
}

// program loads one that does nothing.
func program(t *testing.T) *ebpf.Program {
	return load(t, &ebpf.ProgramSpec{Type: ebpf.Kprobe, License: "GPL", Instructions: nothing})
}

var nothing = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}

func load(t *testing.T, spec *ebpf.ProgramSpec) *ebpf.Program {
	p, err := ebpf.NewProgram(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// attach leaves a program attached whose own descriptor is closed: the link alone holds it.
func attach(t *testing.T) {
	p := load(t, &ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp,
		AttachTo: "sched_process_exec", License: "GPL", Instructions: nothing})
	keep(link.AttachTracing(link.TracingOptions{Program: p}))(t)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func attachToFunction(t *testing.T) {
	executable, err := link.OpenExecutable("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	p := program(t)
	keep(executable.Uprobe("", p, &link.UprobeOptions{Address: entry(t)}))(t)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// entry is where in its file this program begins.
func entry(t *testing.T) uint64 {
	file, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && p.Vaddr <= file.Entry && file.Entry < p.Vaddr+p.Filesz {
			return file.Entry - p.Vaddr + p.Off
		}
	}
	t.Fatal("no segment holds the entry")
	return 0
}

// pin pins a program and closes its descriptor, in a BPF file system that only this process sees.
func pin(t *testing.T) {
	p := program(t)
	if err := p.Pin("/sys/fs/bpf/left"); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLeak leaves one thing behind where it is told to, in a process of its own.
func TestLeak(t *testing.T) {
	if leak := leaks[os.Getenv(leakVariable)]; leak != nil {
		leak(t)
	}
}

// TestWhatStaysBehindFails runs TestLeak once for each thing: the tests pass, and their
// process has to fail.
func TestWhatStaysBehindFails(t *testing.T) {
	if os.Getenv(leakVariable) != "" {
		t.Skip("this is the process that leaves something behind")
	}
	Require(t)
	want := map[string]string{"map": "bpf-map", "program": "bpf-prog", "attached tracepoint": "bpf_link",
		"attached uprobe": "bpf", "pin": "pin /sys/fs/bpf/left"}
	for what := range leaks {
		t.Run(what, func(t *testing.T) {
			out, err := again(t, what)
			failed := &exec.ExitError{}
			switch {
			case want[what] == "":
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			case !errors.As(err, &failed) || failed.ExitCode() != exitLeft:
				t.Errorf("it ended with %v, want %d\n%s", err, exitLeft, out)
			case !strings.Contains(out, "the tests leave behind:\n\t") || !strings.Contains(out, want[what]):
				t.Errorf("it does not say what stays behind (%s):\n%s", want[what], out)
			}
		})
	}
}

// again runs this test program with one leak, in a mount namespace with a BPF file system of its
// own: a pin is gone with it.
func again(t *testing.T, leak string) (string, error) {
	script := `mount --make-rprivate / && mount -t bpf bpf /sys/fs/bpf && exec "$0" -test.run='^TestLeak$'`
	cmd := exec.Command("/bin/sh", "-c", script, os.Args[0])
	cmd.Env = append(os.Environ(), leakVariable+"="+leak)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
