package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/harness/cluster"
)

// state is what a guard tells about its lab.
type state struct {
	Version    int              `json:"version"` // counts changes
	State      string           `json:"state"`   // a state of cluster.Status
	Reason     string           `json:"reason,omitempty"`
	InitPID    int              `json:"initPID,omitempty"`
	GuardPID   int              `json:"guardPID"`
	Kubeconfig string           `json:"kubeconfig,omitempty"`
	Since      time.Time        `json:"since"`
	Stages     []string         `json:"stages,omitempty"`
	Components []component      `json:"components,omitempty"`
	Timings    []cluster.Timing `json:"timings,omitempty"`
}

// A component runs in the node with a process id of the node's namespace.
type component struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

func (s state) reached(stage string) bool {
	for _, reached := range s.Stages {
		if reached == stage {
			return true
		}
	}
	return false
}

// A board holds the state and wakes those who wait for its change.
type board struct {
	mu      sync.Mutex
	state   state
	changed chan struct{} // closed at the next change
}

func newBoard() *board {
	return &board{changed: make(chan struct{}),
		state: state{State: cluster.Starting, GuardPID: os.Getpid(), Since: time.Now()}}
}

func (b *board) set(change func(*state)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.state)
	b.state.Version++
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) fail(reason string) {
	b.set(func(s *state) { s.State, s.Reason = cluster.Broken, reason })
}

// after returns the state once its version is above seen, or as it is when ctx ends.
func (b *board) after(ctx context.Context, seen int) state {
	for {
		b.mu.Lock()
		s, changed := b.state, b.changed
		b.mu.Unlock()
		if s.Version > seen {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s
		}
	}
}

// controlAddress is the lab's control socket. An abstract name leaves no file, and only one process can have it, so it
// is the lock as well: whoever listens owns the lab.
func controlAddress(lab string) *net.UnixAddr {
	return &net.UnixAddr{Net: "unix", Name: "@flowproof-node-" + lab}
}

// errTaken says that another guard has the lab.
var errTaken = errors.New("the lab is already there")

func listenControl(lab string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", controlAddress(lab))
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("start lab %s: %w", lab, errTaken)
	}
	if err != nil {
		return nil, fmt.Errorf("open the control socket of lab %s: %w", lab, err)
	}
	return l, nil
}

// serveControl answers status and down. An abstract socket has no permissions, so callers are known by their uid.
func (g *guard) serveControl(l *net.UnixListener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		seen, err := strconv.Atoi(r.URL.Query().Get("after"))
		if err != nil {
			seen = -1
		}
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		_ = json.NewEncoder(w).Encode(g.board.after(ctx, seen))
	})
	mux.HandleFunc("POST /down", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		g.end("lab down")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	_ = server.Serve(sameUser{l})
}

// sameUser accepts connections of root and of the guard's own user only.
type sameUser struct{ *net.UnixListener }

func (l sameUser) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(conn); err == nil && (uid == 0 || uid == os.Geteuid()) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

func peerUID(conn syscall.Conn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if failed != nil {
		return 0, failed
	}
	return int(cred.Uid), nil
}

// controlClient speaks to a lab's guard.
func controlClient(lab string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", controlAddress(lab).Name)
		},
		DisableKeepAlives: true,
	}}
}

// askState returns the guard's state, as soon as its version is above seen; errNoGuard when there is no guard.
func askState(ctx context.Context, lab string, seen int) (state, error) {
	var s state
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://lab/status?after="+strconv.Itoa(seen), nil)
	if err != nil {
		return s, err
	}
	resp, err := controlClient(lab).Do(req)
	if err != nil {
		return s, noGuard(lab, err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return s, noGuard(lab, err)
	}
	return s, nil
}

// errNoGuard says that nobody owns the lab.
var errNoGuard = errors.New("no such lab")

func noGuard(lab string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("ask lab %s: %w (%w)", lab, errNoGuard, err)
}

func askDown(ctx context.Context, lab string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://lab/down", nil)
	if err != nil {
		return err
	}
	resp, err := controlClient(lab).Do(req)
	if err != nil {
		return noGuard(lab, err)
	}
	return resp.Body.Close()
}
