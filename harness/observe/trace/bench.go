//go:build linux && amd64

package trace

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
)

// A bench is an Envoy of its own in a network namespace of its own, with two listeners whose names nobody could guess, a
// client and an upstream. It belongs to the goroutine that made it, which is locked to its thread.
type bench struct {
	netns  uint32
	envoy  *exec.Cmd
	ended  chan struct{}    // Envoy has
	log    *strings.Builder // to be read when it has
	dir    string
	binary *os.File

	confinement confinement // of the binary
	upstream    *http.Server
	routes      [2]route

	mu   sync.Mutex
	seen map[string]arrival // by the request's mark

	arrived chan sample   // requests that are held
	release chan struct{} // closed: answers are not kept back any more
}

// A route is one listener of the bench: its port, the name of its filter chain, and of its cluster. The names of the
// first are longer than a std::string holds in itself, those of the second are shorter.
type route struct {
	port, upstream uint16
	chain, cluster string
	filter         string // one more listener filter
}

// An arrival is how a request came to the upstream.
type arrival struct {
	from       netip.AddrPort // Envoy's end of the connection
	connection string         // id of the downstream connection, as Envoy says it
}

// Headers of a request of the bench: its mark, and whether its answer is kept back until all are released. The others are Envoy's: a time
// that its fault filter waits, in ms, and who the client claims to be.
const (
	proofHeader   = "X-Flowproof-Proof"
	holdHeader    = "X-Flowproof-Hold"
	delayHeader   = "X-Envoy-Fault-Delay-Request"
	claimedHeader = "X-Forwarded-For"

	connectionHeader = "X-Flowproof-Connection" // Envoy adds it
)

// claimed is an address that no connection of the bench has: what is read of a connection must not be what its client claims.
const claimed = "203.0.113.9"

// proxyLine claims another client's address at the beginning of a connection, in the PROXY protocol's first version.
const proxyLine = "PROXY TCP4 " + claimed + " 127.0.0.1 999 10002\r\n"

// newBench makes a bench and starts everything on it.
func newBench(ctx context.Context, binary string) (*bench, error) {
	b, err := emptyBench()
	if err != nil {
		return nil, err
	}
	if err := b.start(ctx, binary); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// emptyBench moves the calling goroutine's thread into a network namespace of its own, where nothing runs yet. The thread
// never leaves it: it ends with the goroutine.
func emptyBench() (*bench, error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return &bench{seen: map[string]arrival{}, log: &strings.Builder{}, arrived: make(chan sample), release: make(chan struct{}), routes: [2]route{
		{10001, 10003, "proof-chain-" + rand.Text() + rand.Text(), "proof-cluster-" + rand.Text() + rand.Text(), ""},
		{10002, 10004, "fc" + rand.Text()[:8], "cl" + rand.Text()[:8], proxyFilter},
	}}, nil
}

func (b *bench) start(ctx context.Context, binary string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	if b.netns, err = netnsOf(unix.Gettid()); err != nil {
		return err
	}
	if err := b.startUpstream(); err != nil {
		return err
	}
	if b.binary, err = os.Open(binary); err != nil {
		return err
	}
	if b.confinement, b.dir, err = confine(); err != nil {
		return err
	}
	// The kernel names a process after the path that it was started by.
	named := filepath.Join(b.dir, proxyProcess)
	if err := os.Symlink(confinedBinary, named); err != nil {
		return err
	}
	config := filepath.Join(b.dir, "envoy.yaml")
	if err := os.WriteFile(config, []byte(b.config()), 0o644); err != nil {
		return err
	}
	return b.startEnvoy(ctx, named, config)
}

// startUpstream answers every request, and remembers over which connection it came.
func (b *bench) startUpstream() error {
	b.upstream = &http.Server{ReadHeaderTimeout: benchTimeout, Handler: http.HandlerFunc(b.answer)}
	for _, r := range b.routes {
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", r.upstream))
		if err != nil {
			return err
		}
		go func() { _ = b.upstream.Serve(listener) }()
	}
	return nil
}

func (b *bench) answer(w http.ResponseWriter, r *http.Request) {
	if end, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		b.mu.Lock()
		b.seen[r.Header.Get(proofHeader)] = arrival{end, r.Header.Get(connectionHeader)}
		b.mu.Unlock()
	}
	if own, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && r.Header.Get(holdHeader) != "" {
		select {
		case b.arrived <- sample{local: r.RemoteAddr, peer: own.String(), connection: r.Header.Get(connectionHeader)}:
		case <-r.Context().Done():
			return
		}
		select {
		case <-b.release:
		case <-r.Context().Done():
			return
		}
	}
	_, _ = io.WriteString(w, "ok\n")
}

// benchTimeout bounds everything that the bench waits for.
const benchTimeout = 20 * time.Second

// startEnvoy starts Envoy in the thread's network namespace and waits until its listeners take connections.
func (b *bench) startEnvoy(ctx context.Context, binary, config string) error {
	b.envoy = exec.CommandContext(ctx, binary, "-c", config, "--concurrency", "2", "-l", "warning", "--disable-hot-restart")
	b.envoy.Stderr, b.envoy.Stdout = b.log, b.log
	b.envoy.Env, b.envoy.Dir = confinedEnvironment, b.dir
	b.envoy.ExtraFiles, b.envoy.SysProcAttr = []*os.File{b.binary}, b.confinement.attributes()
	b.ended = nil
	if err := b.envoy.Start(); err != nil {
		return fmt.Errorf("start %s: %w", binary, err)
	}
	b.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(b.envoy, b.ended)
	ctx, cancel := context.WithTimeout(ctx, benchTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < len(b.routes); {
		conn, err := b.dial(b.routes[i].port)
		if err == nil {
			_ = conn.Close()
			i++
			continue
		}
		select {
		case <-tick.C:
		case <-b.ended:
			return fmt.Errorf("start Envoy: it ended: %s", strings.TrimSpace(b.log.String()))
		case <-ctx.Done():
			b.kill()
			return fmt.Errorf("start Envoy: it takes no connection within %s: %s", benchTimeout, strings.TrimSpace(b.log.String()))
		}
	}
	return nil
}

// kill ends Envoy.
func (b *bench) kill() {
	if b.ended != nil {
		_ = b.envoy.Process.Kill()
		<-b.ended
	}
}

// close ends Envoy and the upstream. The files go with the thread.
func (b *bench) close() error {
	var errs []error
	b.kill()
	b.confinement.end()
	if b.upstream != nil {
		errs = append(errs, b.upstream.Close())
	}
	if b.binary != nil {
		errs = append(errs, b.binary.Close())
	}
	return errors.Join(errs...)
}
