package doctor

import (
	"context"
	"errors"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/rlimit"
)

func findBPFTracepoints(context.Context) (string, error) {
	return "programs load", probeBPF(func() error { return features.HaveProgramType(ebpf.TracePoint) })
}

func findBPFRingBuffer(context.Context) (string, error) {
	return "maps can be made", probeBPF(func() error { return features.HaveMapType(ebpf.RingBuf) })
}

// probeBPF lifts the limit on locked memory, which kernels before 5.11 count BPF against,
// and asks the kernel.
func probeBPF(ask func() error) error {
	if err := rlimit.RemoveMemlock(); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return ask()
}

func findBTF(context.Context) (string, error) {
	if _, err := btf.LoadKernelSpec(); err != nil {
		return "", err
	}
	return "/sys/kernel/btf/vmlinux", nil
}

func findTracefs(context.Context) (string, error) {
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(dir + "/events"); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("not mounted")
}

// BPFWorks says whether this process may load BPF programs on tracepoints and the
// kernel has ring buffers.
func BPFWorks(ctx context.Context) bool {
	_, tracepoints := findBPFTracepoints(ctx)
	_, ring := findBPFRingBuffer(ctx)
	return tracepoints == nil && ring == nil
}
