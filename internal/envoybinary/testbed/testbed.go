//go:build linux && amd64

// Package testbed is a stripped Envoy that can be tried: it runs one, as a user without privileges,
// in a network namespace of its own, with listeners whose names are random, a client and an
// upstream. What is then read from its memory, or told by probes on it, can be compared with what
// the client and the upstream know.
package testbed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/wait"
)

// A Testbed is an Envoy of its own in a network namespace of its own, with two listeners whose
// names are random, a client and an upstream. It belongs to the goroutine that made it, which is
// locked to its thread.
type Testbed struct {
	Routes [2]Route

	envoy  *exec.Cmd
	ended  chan struct{}    // Envoy has
	log    *strings.Builder // to be read when it has
	dir    string
	binary *os.File

	confinement confinement // of the binary
	upstream    *http.Server

	mu   sync.Mutex
	seen map[string]Arrival // by the request's mark

	arrived chan HeldRequest // requests that are held
	release chan struct{}    // closed: answers are not kept back any more
}

// A Route is one listener of the testbed. The names of the first are longer than a std::string
// holds in itself, those of the second are shorter.
type Route struct {
	Port    uint16 // of the listener
	Chain   string // the name of its filter chain
	Cluster string // the name of the cluster that its requests are sent to
	Claims  bool   // a client may claim to be another by Claim

	upstream uint16
}

// An Arrival is how a request came to the upstream.
type Arrival struct {
	From       netip.AddrPort // Envoy's end of the connection
	Connection string         // id of the downstream connection, as Envoy says it
}

// Headers of a request of the testbed: its mark, and whether its answer is kept back until all are
// released. The others are Envoy's: a time that its fault filter waits, in ms, and who the client
// claims to be.
const (
	proofHeader   = "X-Flowproof-Proof"
	holdHeader    = "X-Flowproof-Hold"
	delayHeader   = "X-Envoy-Fault-Delay-Request"
	claimedHeader = "X-Forwarded-For"

	connectionHeader = "X-Flowproof-Connection" // Envoy adds it
)

// claimed is an address that no connection of the testbed has: what is read of a connection must
// not be what its client claims.
const claimed = "203.0.113.9"

// Claim names another client's address at the beginning of a connection, in the PROXY
// protocol's first version.
const Claim = "PROXY TCP4 " + claimed + " 127.0.0.1 999 10002\r\n"

// New makes a testbed and starts everything on it.
func New(ctx context.Context, binary string) (*Testbed, error) {
	t, err := Empty()
	if err != nil {
		return nil, err
	}
	if err := t.Start(ctx, binary); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Empty moves the calling goroutine's thread into a network namespace of its own, where nothing
// runs yet. The thread never leaves it: it ends with the goroutine.
func Empty() (*Testbed, error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return &Testbed{seen: map[string]Arrival{}, log: &strings.Builder{}, arrived: make(chan HeldRequest),
		release: make(chan struct{}), Routes: [2]Route{
			{Port: 10001, upstream: 10003, Chain: "proof-chain-" + rand.Text() + rand.Text(),
				Cluster: "proof-cluster-" + rand.Text() + rand.Text()},
			{Port: 10002, upstream: 10004, Chain: "fc" + rand.Text()[:8], Cluster: "cl" + rand.Text()[:8],
				Claims: true},
		}}, nil
}

// PID is Envoy's process.
func (t *Testbed) PID() int { return t.envoy.Process.Pid }

// Start starts everything on an empty testbed: the upstream, and an Envoy of the binary at a path.
func (t *Testbed) Start(ctx context.Context, binary string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	if err := t.startUpstream(); err != nil {
		return err
	}
	if t.binary, err = os.Open(binary); err != nil {
		return err
	}
	if t.confinement, t.dir, err = confine(); err != nil {
		return err
	}
	// The kernel names a process after the path that it was started by.
	if err := os.Symlink(confinedBinary, filepath.Join(t.dir, processName)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(t.dir, configFile), []byte(t.config()), 0o644); err != nil {
		return err
	}
	return t.startEnvoy(ctx)
}

// startUpstream answers every request, and remembers over which connection it came.
func (t *Testbed) startUpstream() error {
	t.upstream = &http.Server{ReadHeaderTimeout: Timeout, Handler: http.HandlerFunc(t.answer)}
	for _, r := range t.Routes {
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", r.upstream))
		if err != nil {
			return err
		}
		go func() { _ = t.upstream.Serve(listener) }()
	}
	return nil
}

func (t *Testbed) answer(w http.ResponseWriter, r *http.Request) {
	if end, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		t.mu.Lock()
		t.seen[r.Header.Get(proofHeader)] = Arrival{From: end, Connection: r.Header.Get(connectionHeader)}
		t.mu.Unlock()
	}
	if own, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && r.Header.Get(holdHeader) != "" {
		select {
		case t.arrived <- HeldRequest{Local: r.RemoteAddr, Peer: own.String(),
			Connection: r.Header.Get(connectionHeader)}:
		case <-r.Context().Done():
			return
		}
		select {
		case <-t.release:
		case <-r.Context().Done():
			return
		}
	}
	_, _ = io.WriteString(w, "ok\n")
}

// Timeout bounds everything that the testbed waits for.
const Timeout = 20 * time.Second

// The files of a testbed. The process is named after the path that it is started by.
const (
	processName = "envoy"
	configFile  = "envoy.yaml"
)

// Restart ends Envoy and starts another one in its place.
func (t *Testbed) Restart(ctx context.Context) error {
	t.kill()
	return t.startEnvoy(ctx)
}

// startEnvoy starts Envoy in the thread's network namespace and waits until its
// listeners take connections.
func (t *Testbed) startEnvoy(ctx context.Context) error {
	binary := filepath.Join(t.dir, processName)
	t.envoy = exec.CommandContext(ctx, binary, "-c", filepath.Join(t.dir, configFile),
		"--concurrency", "2", "-l", "warning", "--disable-hot-restart")
	t.envoy.Stderr, t.envoy.Stdout = t.log, t.log
	t.envoy.Env, t.envoy.Dir = confinedEnvironment, t.dir
	t.envoy.ExtraFiles, t.envoy.SysProcAttr = []*os.File{t.binary}, t.confinement.attributes()
	t.ended = nil
	if err := t.envoy.Start(); err != nil {
		return fmt.Errorf("start %s: %w", binary, err)
	}
	t.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(t.envoy, t.ended)
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	answering, ended := 0, false
	late := wait.Until(ctx, 20*time.Millisecond, func() (bool, error) {
		for ; answering < len(t.Routes); answering++ {
			conn, err := t.Dial(t.Routes[answering].Port)
			if err != nil {
				break
			}
			_ = conn.Close()
		}
		if answering == len(t.Routes) {
			return true, nil
		}
		select {
		case <-t.ended:
			ended = true
		default:
		}
		return ended, nil
	})
	switch {
	case ended:
		return fmt.Errorf("start Envoy: it ended: %s", strings.TrimSpace(t.log.String()))
	case late != nil:
		t.kill()
		return fmt.Errorf("start Envoy: it takes no connection within %s: %s", Timeout,
			strings.TrimSpace(t.log.String()))
	}
	return nil
}

// kill ends Envoy.
func (t *Testbed) kill() {
	if t.ended != nil {
		_ = t.envoy.Process.Kill()
		<-t.ended
	}
}

// Close ends Envoy and the upstream. The files go with the thread.
func (t *Testbed) Close() error {
	var errs []error
	t.kill()
	t.confinement.end()
	if t.upstream != nil {
		errs = append(errs, t.upstream.Close())
	}
	if t.binary != nil {
		errs = append(errs, t.binary.Close())
	}
	return errors.Join(errs...)
}
