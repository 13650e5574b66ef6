package run

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/process"
)

// found are the processes of a pod's containers on this host, by container, as they were found
// first: each search asks the apiserver and looks at every process of this machine, and a run has
// several reasons to search for each pod.
type found struct {
	mu    sync.Mutex
	known map[string]processes
}

// processes are those of one container, or why there are none here.
type processes struct {
	pids  []int
	since []uint64 // when each started
	err   error
}

// processesOf are the processes of a container of the pod on this host, its entry point first;
// process.ErrElsewhere where there are none. They are searched again when one of them has ended, or
// its number is another process's by now.
func (w *watched) processesOf(ctx context.Context, container string) ([]int, error) {
	w.found.mu.Lock()
	defer w.found.mu.Unlock()
	if known, ok := w.found.known[container]; ok && slices.Equal(cluster.Started(known.pids), known.since) {
		return known.pids, known.err
	}
	pids, err := w.session.Lab.Processes(ctx, w.Pod, container)
	if err == nil || errors.Is(err, process.ErrElsewhere) {
		if w.found.known == nil {
			w.found.known = map[string]processes{}
		}
		w.found.known[container] = processes{pids, cluster.Started(pids), err}
	}
	return pids, err
}
