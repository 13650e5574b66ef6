package cluster

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// AddProcesses describes processes of the lab by their ids, the largest first. Those that have
// ended meanwhile are left out.
func (s *Status) AddProcesses(pids []int) {
	for _, pid := range pids {
		if p, err := Describe(pid); err == nil {
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
