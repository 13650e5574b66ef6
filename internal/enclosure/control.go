package enclosure

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
	"github.com/flowproof/lab/internal/progress"
)

// A State is what a guard tells about its enclosure.
type State struct {
	Version    int               `json:"version"` // counts changes
	State      string            `json:"state"`   // a state of cluster.Status
	Reason     string            `json:"reason,omitempty"`
	InitPID    int               `json:"initPID,omitempty"`
	GuardPID   int               `json:"guardPID"`
	Forward    string            `json:"forward"` // address on the host's loopback that Init.Forward serves
	Kubeconfig string            `json:"kubeconfig,omitempty"`
	Since      time.Time         `json:"since"`
	Stages     []string          `json:"stages,omitempty"`
	Components []Component       `json:"components,omitempty"`
	Timings    []progress.Timing `json:"timings,omitempty"`
}

// A Component runs in the enclosure with a process id of the enclosure's namespace.
type Component struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// Reached says whether a stage is behind it.
func (s State) Reached(stage string) bool {
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
	state   State
	changed chan struct{} // closed at the next change
}

func newBoard() *board {
	return &board{changed: make(chan struct{}),
		state: State{State: cluster.Starting, GuardPID: os.Getpid(), Since: time.Now()}}
}

func (b *board) set(change func(*State)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.state)
	b.state.Version++
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) fail(reason string) {
	b.set(func(s *State) { s.State, s.Reason = cluster.Broken, reason })
}

// after returns the state once its version is above seen, or as it is when ctx ends.
func (b *board) after(ctx context.Context, seen int) State {
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

// address is the control socket of an enclosure. An abstract name leaves no file, and only one process can have it, so it
// is the lock as well: whoever listens owns the enclosure.
func (k Kind) address(name string) *net.UnixAddr {
	return &net.UnixAddr{Net: "unix", Name: "@flowproof-" + k.Name + "-" + name}
}

// ErrTaken says that another guard has the enclosure.
var ErrTaken = errors.New("it is already there")

func (k Kind) listen(name string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", k.address(name))
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("start %s %s: %w", k.Noun, name, ErrTaken)
	}
	if err != nil {
		return nil, fmt.Errorf("open the control socket of %s %s: %w", k.Noun, name, err)
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

// client speaks to a guard.
func (k Kind) client(name string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", k.address(name).Name)
		},
		DisableKeepAlives: true,
	}}
}

// Ask returns the guard's state, as soon as its version is above seen (-1: at once); ErrNoGuard when there is no guard.
func (k Kind) Ask(ctx context.Context, name string, seen int) (State, error) {
	var s State
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://guard/status?after="+strconv.Itoa(seen), nil)
	if err != nil {
		return s, err
	}
	resp, err := k.client(name).Do(req)
	if err != nil {
		return s, k.noGuard(name, err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return s, k.noGuard(name, err)
	}
	return s, nil
}

// ErrNoGuard says that nobody owns the enclosure.
var ErrNoGuard = errors.New("there is none of that name")

func (k Kind) noGuard(name string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("ask %s %s: %w (%w)", k.Noun, name, ErrNoGuard, err)
}

func (k Kind) askDown(ctx context.Context, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://guard/down", nil)
	if err != nil {
		return err
	}
	resp, err := k.client(name).Do(req)
	if err != nil {
		return k.noGuard(name, err)
	}
	return resp.Body.Close()
}
