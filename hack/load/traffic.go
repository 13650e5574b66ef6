package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A load is what others send meanwhile: programs in pods that are run again and again.
type load struct {
	name     string
	promised float64 // least share of verified runs under it
	senders  []sender
}

// A sender is one program in the application's container of a pod. It ends by itself, after a turn.
type sender struct {
	pod     string
	command []string
}

// turn is how long a program sends before it is run again: as long may pass until a load has ended.
const turn = "10"

// What verified runs there are at least, of all.
const (
	most = 0.95 // at 50 requests a second
	some = 0    // at saturation: that nothing false is said is all that is promised
)

// loads are the kinds of other traffic. The half of what comes from the request's own pod is sent
// over connections that stay, the other half over a connection for each request.
var loads = []load{
	{"none", most, nil},
	{"50/s from another pod", most, []sender{fortio("50", "4")}},
	{"50/s from the same pod", most, []sender{curl("1500/m", "keep-alive"), curl("1500/m", "close")}},
	{"saturation from another pod", some, []sender{fortio("0", "4")}},
	{"saturation from the same pod", some, []sender{curl("60000/m", "keep-alive"), curl("60000/m", "close")}},
}

// fortio sends some requests a second over some connections; "0" is as many as it can.
func fortio(rate, connections string) sender {
	return sender{"fortio-server-l2", []string{"fortio", "load", "-quiet", "-qps", rate, "-c", connections, "-t",
		turn + "s", target}}
}

// curl sends requests one after the other at a rate.
func curl(rate, connection string) sender {
	return sender{"netshoot", []string{"timeout", turn, "curl", "--silent", "--output", "/dev/null", "--rate", rate,
		"--header", "connection: " + connection, target + "?n=[1-10000000]"}}
}

// A laboratory is a lab.
type laboratory struct{ program, name string }

// command prepares a command of lab's.
func (l *laboratory) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, l.program, append([]string{"--name", l.name}, args...)...)
}

// settling bounds how long a load may take to arrive, and settled is how many of its requests have.
const (
	settling = time.Minute
	settled  = 20
)

// settle waits until the target's sidecar has counted requests of a load.
func (l *laboratory) settle(load load) error {
	if len(load.senders) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), settling)
	defer cancel()
	before, err := l.arrived(ctx)
	for now := before; err == nil && now < before+settled; {
		now, err = l.arrived(ctx)
	}
	if err != nil {
		return fmt.Errorf("wait for %s: %w", load.name, err)
	}
	return nil
}

// arrived is how many requests the target's sidecar has taken for its application.
func (l *laboratory) arrived(ctx context.Context) (total int, err error) {
	out, err := l.command(ctx, "kubectl", "-n", "mark", "exec", "fortio-server", "-c", "istio-proxy", "--",
		"pilot-agent", "request", "GET", "stats?filter=^http.inbound_.*downstream_rq_total$").Output()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(out)) {
		_, value, _ := strings.Cut(line, ": ")
		n, _ := strconv.Atoi(strings.TrimSpace(value))
		total += n
	}
	return total, nil
}

// start begins a load and returns what ends it, which waits for the end.
func (l *laboratory) start(load load) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	for _, s := range load.senders {
		sending.Go(func() {
			for ctx.Err() == nil {
				l.send(s)
			}
		})
	}
	return func() { cancel(); sending.Wait() }
}

// ended is the exit code of a program that was ended by timeout(1).
const ended = 124

// send runs a sender once. A load that is not there would make every promise good, so that its
// failure ends the measurement.
func (l *laboratory) send(s sender) {
	args := append([]string{"kubectl", "-n", "mark", "exec", s.pod, "-c", "main-app", "--"}, s.command...)
	out, err := l.command(context.Background(), args...).CombinedOutput()
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) && exit.ExitCode() == ended {
		return
	}
	fmt.Fprintf(os.Stderr, "load: %v: %v: %s\n", s.command, err, out)
	os.Exit(1)
}
