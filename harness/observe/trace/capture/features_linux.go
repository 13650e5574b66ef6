//go:build linux && amd64

package capture

import (
	"errors"
	"os"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/flowproof/lab/bpf/envoy"
)

// Features asks the kernel what it has, by loading and attaching what a probe would need. The
// answers are kept: they do not change while the process runs.
func Features() []Feature { return probedFeatures() }

var probedFeatures = sync.OnceValue(func() []Feature {
	if err := rlimit.RemoveMemlock(); err != nil && !errors.Is(err, os.ErrPermission) {
		return []Feature{feature("locked memory", true, "", err)}
	}
	return []Feature{
		feature("btf", true, "the kernel's own types: programs find their members on any kernel", haveBTF()),
		feature("ring buffer", true, "events of all CPUs in one buffer (Linux 5.8)",
			features.HaveMapType(ebpf.RingBuf)),
		feature("tp_btf", true, "tracepoints with types: system calls, TCP states, resets, retransmissions",
			attachTracing(ebpf.AttachTraceRawTp, "inet_sock_set_state")),
		feature("iter/task_file", true, "sockets that were open before", attachIterator("task_file")),
		feature("iter/tcp", false, "sockets without a descriptor; task_file is used", attachIterator("tcp")),
		feature("uprobe", false, "probes on Envoy's functions", haveUprobe()),
		feature("attach cookie", false, "which probe of a program was hit (Linux 5.15)",
			features.HaveProgramHelper(ebpf.Kprobe, asm.FnGetAttachCookie)),
		feature("uprobe.multi", false, "all probes on an Envoy by one link (Linux 6.6, right since 6.10): attached "+
			"and detached fast, and log statements of one level alone", envoy.HaveMulti()),
		feature("kprobe", false, "not used: tracepoints tell the same", haveKprobe()),
		feature("fentry", false, "not used: tracepoints tell the same",
			attachTracing(ebpf.AttachTraceFEntry, "tcp_connect")),
	}
})

func feature(name string, needed bool, gives string, err error) Feature {
	f := Feature{Name: name, Needed: needed, OK: err == nil, Detail: gives}
	if err != nil {
		f.Detail, _, _ = strings.Cut(err.Error(), "\n")
	}
	return f
}

func haveBTF() error {
	_, err := btf.LoadKernelSpec()
	return err
}

// empty is a program that does nothing.
func empty(kind ebpf.ProgramType, attach ebpf.AttachType, to string) (*ebpf.Program, error) {
	return ebpf.NewProgram(&ebpf.ProgramSpec{Name: "feature", Type: kind, AttachType: attach, AttachTo: to,
		License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
}

// try loads an empty program, attaches it and detaches it again.
func try(kind ebpf.ProgramType, attach ebpf.AttachType, to string, do func(*ebpf.Program) (link.Link, error)) error {
	program, err := empty(kind, attach, to)
	if err != nil {
		return err
	}
	defer program.Close()
	l, err := do(program)
	if err != nil {
		return err
	}
	return l.Close()
}

func attachTracing(attach ebpf.AttachType, to string) error {
	return try(ebpf.Tracing, attach, to, func(p *ebpf.Program) (link.Link, error) {
		return link.AttachTracing(link.TracingOptions{Program: p})
	})
}

func attachIterator(of string) error {
	return try(ebpf.Tracing, ebpf.AttachTraceIter, of, func(p *ebpf.Program) (link.Link, error) {
		return link.AttachIter(link.IterOptions{Program: p})
	})
}

func haveKprobe() error {
	return try(ebpf.Kprobe, ebpf.AttachNone, "", func(p *ebpf.Program) (link.Link, error) {
		return link.Kprobe("tcp_connect", p, nil)
	})
}

// haveUprobe puts a probe on a function of this program's own that is never called.
func haveUprobe() error {
	return try(ebpf.Kprobe, ebpf.AttachNone, "", func(p *ebpf.Program) (link.Link, error) {
		self, err := link.OpenExecutable("/proc/self/exe")
		if err != nil {
			return nil, err
		}
		return self.Uprobe("", p, &link.UprobeOptions{Address: 0x1000, PID: os.Getpid()})
	})
}
