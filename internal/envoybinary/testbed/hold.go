//go:build linux && amd64

package testbed

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A HeldRequest is one whose answer is kept back, with what is known of its connections.
// Addresses are ip:port.
type HeldRequest struct {
	Downstream string // the client's end of the downstream connection
	Local      string // Envoy's own end of the upstream connection
	Peer       string // its other end
	Cluster    string
	Connection string // id of the downstream connection, as Envoy says it
}

// Held are requests whose answers are kept back, in the order in which they were sent.
type Held struct {
	bed      *Testbed
	Requests []HeldRequest
	conns    []net.Conn
	group    sync.WaitGroup
	mu       sync.Mutex
	problems []error // why requests were not answered
}

// Hold sends a request by each kind of route entry on each route, one after the other has arrived.
// Of the last one the connection's client claims to be another, and the one before is sent by
// HTTP/2, so that no way leads along what only HTTP/1 has. The requests are valid until they are
// released, also with an error.
func (t *Testbed) Hold() (*Held, error) {
	h := &Held{bed: t}
	for _, e := range Entries {
		for _, r := range t.Routes {
			last := len(h.Requests) - len(Entries)*len(t.Routes) + 1
			if err := h.send(r, e, last == 0, last == -1); err != nil {
				return h, fmt.Errorf("hold a request: %w", err)
			}
		}
	}
	return h, nil
}

// send sends one request and waits until the upstream has it.
func (h *Held) send(r Route, e Entry, claims, http2 bool) error {
	conn, err := h.bed.Dial(r.Port)
	if err != nil {
		return err
	}
	h.conns = append(h.conns, conn)
	if claims {
		if _, err := io.WriteString(conn, Claim); err != nil {
			return err
		}
	}
	ended := make(chan struct{})
	h.group.Go(func() {
		headers := append(r.By(e), [2]string{holdHeader, "1"})
		var err error
		if http2 {
			_, err = h.bed.by(overHTTP2(conn), headers...)
		} else {
			_, err = h.bed.Request(conn, bufio.NewReader(conn), headers...)
		}
		h.mu.Lock()
		h.problems = append(h.problems, err)
		h.mu.Unlock()
		close(ended)
	})
	select {
	case s := <-h.bed.arrived:
		_ = conn.SetDeadline(time.Time{}) // it is held for as long as its objects are looked at
		s.Downstream, s.Cluster = conn.LocalAddr().String(), r.Cluster
		h.Requests = append(h.Requests, s)
		return nil
	case <-ended:
		return errors.New("it ended before it arrived")
	case <-time.After(Timeout):
		return fmt.Errorf("it did not arrive within %s", Timeout)
	}
}

// Release lets the upstream answer, and ends the connections. What is sent to be held afterwards is
// answered at once. The error is for a request that was not answered as it should be: its objects
// may not have stood still.
func (h *Held) Release() error {
	close(h.bed.release)
	return h.End()
}

// End waits for the answers, and ends the connections.
func (h *Held) End() error {
	for _, conn := range h.conns {
		_ = conn.SetDeadline(time.Now().Add(Timeout))
	}
	h.group.Wait()
	for _, conn := range h.conns {
		_ = conn.Close()
	}
	return errors.Join(h.problems...)
}
