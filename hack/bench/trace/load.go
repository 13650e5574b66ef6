//go:build linux && amd64

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/fault"
)

// A sample is what one load cost.
type sample struct {
	requests int
	rate     float64    // requests a second that were answered
	cpu      [2]float64 // µs of CPU a request of the client's and of the server's Envoy
	p50, p99 float64    // ms
}

// load sends requests for some time; rate 0 is as many as are answered.
func (l *lab) load(ctx context.Context, rate, connections int, duration time.Duration) (sample, error) {
	command := []string{"/usr/bin/fortio", "load", "-quiet", "-json", "-", "-qps", strconv.Itoa(rate), "-c",
		strconv.Itoa(connections), "-t", duration.String(), "-uniform", "-r", "0.00001", "-p", "50,99", target}
	before, err := l.cpu()
	if err != nil {
		return sample{}, err
	}
	out, err := l.client.Exec(ctx, l.client.App(), command, nil)
	if err != nil {
		return sample{}, err
	}
	if out.Code != 0 {
		return sample{}, fault.Environmentf("load %s: fortio ended with %d: %s", target, out.Code,
			strings.TrimSpace(string(out.Stderr)))
	}
	after, err := l.cpu()
	if err != nil {
		return sample{}, err
	}
	s, err := parseLoad(out.Stdout)
	if err != nil {
		return s, fault.Environmentf("load %s: %w", target, err)
	}
	for i := range s.cpu {
		s.cpu[i] = float64((after[i] - before[i]).Nanoseconds()) / 1e3 / float64(s.requests)
	}
	return s, nil
}

// parseLoad reads fortio's JSON. Every request has to be answered with 200.
func parseLoad(out []byte) (sample, error) {
	var result struct {
		ActualQPS         float64
		RetCodes          map[string]int
		DurationHistogram struct {
			Count       int
			Percentiles []struct{ Percentile, Value float64 }
		}
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return sample{}, fmt.Errorf("read fortio's result: %w", err)
	}
	h := result.DurationHistogram
	s := sample{requests: h.Count, rate: result.ActualQPS}
	if h.Count == 0 || result.RetCodes["200"] != h.Count || len(h.Percentiles) != 2 {
		return s, fmt.Errorf("read fortio's result: %d requests, answered with %v", h.Count, result.RetCodes)
	}
	s.p50, s.p99 = h.Percentiles[0].Value*1e3, h.Percentiles[1].Value*1e3
	return s, nil
}

// cpu is how long each Envoy's threads have run so far.
func (l *lab) cpu() (used [2]time.Duration, err error) {
	for i, pid := range l.envoys {
		if used[i], err = cpuOf(pid); err != nil {
			return used, fault.Environmentf("read CPU time of Envoy: %w", err)
		}
	}
	return used, nil
}

// cpuOf adds up the time that a process's threads have run, to the nanosecond: the first field
// of schedstat. Source: Documentation/scheduler/sched-stats.rst of the kernel. Envoy's threads
// live as long as it does.
func cpuOf(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("process %d has no threads (CONFIG_SCHED_INFO is needed): %w", pid, err)
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", file, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}
