//go:build linux && amd64

package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe/trace/capture"
	"github.com/flowproof/lab/internal/envoybinary"
)

// The same probes in bpftrace's language; see their headers.
var (
	//go:embed kernel.bt
	kernelScript string
	//go:embed join.bt
	joinScript string
	//go:embed gate.bt
	gateScript string
)

// peers are the modes of bpftrace. Where there is none, the comparison is left out and
// the output says so.
func (l *lab) peers(ctx context.Context, cache envoybinary.Cache) ([]mode, error) {
	if _, err := exec.LookPath("bpftrace"); err != nil {
		fmt.Println("bpftrace is not installed, so nothing is compared with it (apt-get install bpftrace)")
		return nil, nil
	}
	proof, err := cache.Ensure(ctx, fmt.Sprintf("/proc/%d/exe", l.envoys[0]), capture.Prove)
	if err != nil {
		return nil, fault.Environmentf("%w", err)
	}
	join, functions := proof.Join, proof.Table.Functions
	if join == nil {
		return nil, fault.Environmentf("compare with bpftrace: the join is off: %s", proof.Off["join"])
	}
	begins, ok := proof.Table.RequestBegins()
	if !ok {
		return nil, fault.Environmentf("compare with bpftrace: where an upstream request begins is not known")
	}
	fill := strings.NewReplacer("ENVOY", fmt.Sprintf("/proc/%d/exe", l.envoys[0]),
		"ON_FILE_EVENT", offset(functions[envoybinary.OnFileEvent]), "ON_POOL_READY",
		offset(functions[envoybinary.OnPoolReady]),
		"BEGIN_REQUEST", offset(functions[begins]), "GATE", offset(proof.Table.Gate),
		"WAY_DOWNSTREAM", inBpftrace(join.Downstream), "WAY_LOCAL", inBpftrace(join.Local), "WAY_REMOTE",
		inBpftrace(join.Remote))
	start := func(scripts ...string) func(context.Context) (watch, error) {
		return func(ctx context.Context) (watch, error) {
			return l.bpftrace(ctx, fill.Replace(strings.Join(scripts, "")))
		}
	}
	return []mode{
		{name: "bpftrace kernel", peer: "kernel", limit: none, start: start(kernelScript)},
		{name: "bpftrace join", peer: "join", limit: none, start: start(kernelScript, joinScript)},
		{name: "bpftrace trace", peer: "trace", limit: none, start: start(kernelScript, joinScript, gateScript)},
	}, nil
}

// inBpftrace writes a way to a short string of libc++, whose bytes stand behind its length.
func inBpftrace(w envoybinary.Way) string {
	at := fmt.Sprintf("arg%d", w.From)
	for _, p := range w.Pointers {
		at = fmt.Sprintf("*(uint64 *)(%s + %d)", at, p)
	}
	return fmt.Sprintf("%s + %d", at, w.Offset+1)
}

func offset(p envoybinary.Place) string { return fmt.Sprintf("%#x", p.Offset) }

// A script is a bpftrace that runs.
type script struct {
	cmd    *exec.Cmd
	output *os.File // its events, a line each
	stderr *bytes.Buffer
}

// bpftrace starts a script and returns when its probes are attached. Tracefs, which its tracepoints
// need, is mounted in a mount namespace of its own and gone with it.
func (l *lab) bpftrace(ctx context.Context, text string) (*script, error) {
	var netns [2]string
	for i, pid := range l.envoys {
		info, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			return nil, fault.Environmentf("find network namespace: %w", err)
		}
		netns[i] = strconv.FormatUint(info.Sys().(*syscall.Stat_t).Ino, 10)
	}
	output, err := os.CreateTemp("", "bench-bpftrace-")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(output.Name())
	s := &script{output: output, stderr: &bytes.Buffer{}}
	// --unsafe: without it bpftrace puts no probe on an address of a stripped program.
	s.cmd = exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c",
		`mount -t tracefs tracefs /sys/kernel/tracing && exec bpftrace --unsafe -e "$1" "$2" "$3"`, "sh", text,
		netns[0], netns[1])
	s.cmd.Env = append(os.Environ(), "BPFTRACE_STRLEN=64", "BPFTRACE_PERF_RB_PAGES="+strconv.Itoa(perfPages))
	s.cmd.Stdout, s.cmd.Stderr = output, s.stderr
	if err := s.cmd.Start(); err != nil {
		_ = output.Close()
		return nil, fault.Environmentf("start bpftrace: %w", err)
	}
	if err := s.attached(ctx); err != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		_ = output.Close()
		return nil, fault.Environmentf("start bpftrace: %w: %s", err, firstError(s.stderr.String()))
	}
	return s, nil
}

// perfPages is what bpftrace's buffer has on each CPU: all of them together are as
// large as our ring buffers.
const perfPages = 4096

// attached waits until bpftrace waits for events, which it does when it has attached every probe.
// What it could print then would stay in the buffer of its output.
func (s *script) attached(ctx context.Context) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		process := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
		name, err := os.ReadFile(process + "comm")
		call, _ := os.ReadFile(process + "syscall")
		if number, _, _ := strings.Cut(string(call), " "); string(name) == "bpftrace\n" &&
			(number == epollWait || number == epollPwait) {
			return nil
		}
		if _, gone := os.Stat(process + "fd/0"); err != nil || gone != nil {
			return fmt.Errorf("it has ended")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("its probes are not attached: %w", context.Cause(ctx))
		}
	}
}

// Numbers of system calls: arch/x86/entry/syscalls/syscall_64.tbl.
const (
	epollWait  = "232"
	epollPwait = "281"
)

func firstError(text string) string {
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "RLIMIT_MEMLOCK") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(text)
}

func (s *script) cpu() time.Duration {
	used, err := cpuOf(s.cmd.Process.Pid)
	if err != nil {
		return 0
	}
	return used
}

// stop ends bpftrace and counts what it printed: a line an event, and "Lost N events".
func (s *script) stop() (o outcome, err error) {
	defer s.output.Close()
	_ = s.cmd.Process.Signal(os.Interrupt)
	if err := s.cmd.Wait(); err != nil {
		return o, fault.Environmentf("end bpftrace: %w: %s", err, firstError(s.stderr.String()))
	}
	if _, err := s.output.Seek(0, 0); err != nil {
		return o, err
	}
	count := func(line string) {
		var lost uint64
		switch {
		case strings.HasPrefix(line, "e "):
			o.read++
		default:
			if n, _ := fmt.Sscanf(line, "Lost %d events", &lost); n == 1 {
				o.lost += lost
			}
		}
	}
	lines := bufio.NewScanner(s.output)
	for lines.Scan() {
		count(lines.Text())
	}
	for line := range strings.Lines(s.stderr.String()) {
		count(line)
	}
	o.emitted = o.read
	return o, lines.Err()
}
