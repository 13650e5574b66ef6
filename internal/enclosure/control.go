//go:build linux

package enclosure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/labstate"
	"github.com/flowproof/lab/internal/trust"
)

// A board holds the state and wakes those who wait for its change.
type board struct {
	mu      sync.Mutex
	state   State
	changed chan struct{} // closed at the next change
}

func newBoard() *board {
	return &board{changed: make(chan struct{}),
		state: State{State: labstate.Starting, GuardPID: os.Getpid(), Since: time.Now()}}
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
	b.set(func(s *State) { s.State, s.Reason = labstate.Broken, reason })
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

// socketName and kubeconfigName are files in an enclosure's directory. Which they are follows from
// the enclosure's name and is never taken from an answer.
const (
	socketName     = "control"
	kubeconfigName = "kubeconfig"
)

// Socket is where the guard of an enclosure answers, for as long as it lives.
func (k Kind) Socket(name string) string { return filepath.Join(k.RunDir(name), socketName) }

func (k Kind) kubeconfig(name string) string { return filepath.Join(k.RunDir(name), kubeconfigName) }

// A control is the hold on an enclosure's directory, with the socket in it on which
// its holder answers.
type control struct {
	trust.Listener
	hold *trust.Hold
}

// listen takes hold of an enclosure: the process that holds its directory owns it. Only root can
// reach the directory, so no other user can be there first.
func (k Kind) listen(name string) (*control, error) {
	hold, err := trust.Take(k.RunDir(name))
	if errors.Is(err, trust.ErrHeld) {
		return nil, fmt.Errorf("start %s %s: %w", k.Noun, name, ErrTaken)
	}
	if err != nil {
		return nil, fault.Environmentf("start %s %s: %w", k.Noun, name, err)
	}
	l, err := hold.Listen(socketName)
	if err != nil {
		hold.Release()
		return nil, fmt.Errorf("open the control socket of %s %s: %w", k.Noun, name, err)
	}
	return &control{trust.Listener{UnixListener: l}, hold}, nil
}

// Close lets the enclosure go. Those who wait for its end see the socket's first.
func (c *control) Close() error {
	err := c.Listener.Close()
	c.hold.Release(socketName)
	return err
}

// serveControl answers status and down to root and the guard's own user.
func (g *guard) serveControl(l net.Listener) {
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
	_ = server.Serve(l)
}

// client speaks to a guard.
func (k Kind) client(name string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return trust.Dial(ctx, k.Socket(name))
		},
		DisableKeepAlives: true,
	}}
}

// Ask returns the guard's state, as soon as its version is above seen (-1: at once); ErrNoGuard
// when there is no guard, and trust.ErrUntrusted when another user's process is in its place.
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
	if s.Kept {
		s.Kubeconfig = k.kubeconfig(name)
		if err := trust.File(s.Kubeconfig); err != nil {
			return s, fault.Environmentf("use the kubeconfig of %s %s: %w", k.Noun, name, err)
		}
	}
	return s, nil
}

func (k Kind) noGuard(name string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, trust.ErrUntrusted):
		return fault.Environmentf("ask %s %s: %w (end or remove it: a lab does not use what others can touch)",
			k.Noun, name, err)
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
