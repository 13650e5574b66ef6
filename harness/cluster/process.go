package cluster

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// AddProcesses adds processes of the lab by their ids alone: see Measure.
func (s *Status) AddProcesses(pids []int) {
	for _, pid := range pids {
		s.Processes = append(s.Processes, Process{PID: pid})
	}
}

// Measure reads the names of the lab's processes and the memory that each takes, the largest first.
// Those that have ended meanwhile are left out. The kernel goes through all pages of a process to
// tell its share, which takes longer than everything else that is said of a lab.
func (s *Status) Measure() {
	all := make([]Process, len(s.Processes))
	var next atomic.Int64
	var measuring sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		measuring.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				all[i], _ = Describe(s.Processes[i].PID) // one that has ended has no memory
			}
		})
	}
	measuring.Wait()
	s.Processes, s.Memory = nil, 0
	for _, p := range all {
		if p.Memory > 0 {
			s.Processes = append(s.Processes, p)
			s.Memory += p.Memory
		}
	}
	slices.SortFunc(s.Processes, func(a, b Process) int { return cmp.Compare(b.Memory, a.Memory) })
}

// Describe reads a process's name and its share of memory: a page that several processes use counts
// in parts, so that the sum over a lab is what the lab takes. Source: proc_pid_smaps(5), Pss.
func Describe(pid int) (Process, error) {
	p := Process{PID: pid}
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return p, err
	}
	first, _, _ := strings.Cut(string(cmdline), "\x00")
	p.Name = filepath.Base(first)
	rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(string(rollup)) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return p, fmt.Errorf("read the memory of process %d: %w", pid, err)
			}
			p.Memory = kb << 10
			return p, nil
		}
	}
	return p, fmt.Errorf("read the memory of process %d: the kernel says nothing of Pss", pid)
}

// SortByAge puts the oldest process first. Process ids wrap around: a lower one may
// be a later exec.
func SortByAge(pids []int) {
	slices.SortStableFunc(pids, func(a, b int) int { return cmp.Compare(startTime(a), startTime(b)) })
}

// Started says when each of some processes started, in clock ticks since boot; the end of time for
// one that is gone. A number that another process has by now has another time.
func Started(pids []int) []uint64 {
	all := make([]uint64, len(pids))
	for i, pid := range pids {
		all[i] = startTime(pid)
	}
	return all
}

// startTime is when a process started, in clock ticks since boot; the end of time for one that is
// gone. Source: proc_pid_stat(5), field 22. The name in field 2 may hold anything, so fields are
// counted after its closing bracket.
func startTime(pid int) uint64 {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if err != nil || len(fields) < 20 {
		return math.MaxUint64
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return math.MaxUint64
	}
	return ticks
}
