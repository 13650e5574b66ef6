package script

import (
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
)

// bpfWorks asks the kernel by loading a tiny program and making a tiny map.
var bpfWorks = sync.OnceValue(func() bool {
	return features.HaveProgramType(ebpf.TracePoint) == nil && features.HaveMapType(ebpf.RingBuf) == nil
})
