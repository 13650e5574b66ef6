//go:build linux && amd64

package trace

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// held are requests whose answers are kept back, in the order in which they were sent.
type held struct {
	bench    *bench
	requests []sample
	conns    []net.Conn
	group    sync.WaitGroup
	mu       sync.Mutex
	problems []error // why requests were not answered
}

// hold sends two requests on each route, one after the other has arrived. Of the last one the connection's client claims to be another,
// and the one before is sent by HTTP/2, so that no way leads along what only HTTP/1 has. The requests are valid until they are
// released, also with an error.
func (b *bench) hold() (*held, error) {
	h := &held{bench: b}
	const rounds = 2
	for range rounds {
		for _, r := range b.routes {
			last := len(h.requests) - rounds*len(b.routes) + 1
			if err := h.send(r, last == 0, last == -1); err != nil {
				return h, fmt.Errorf("hold a request: %w", err)
			}
		}
	}
	return h, nil
}

// send sends one request and waits until the upstream has it.
func (h *held) send(r route, claims, http2 bool) error {
	conn, err := h.bench.dial(r.port)
	if err != nil {
		return err
	}
	h.conns = append(h.conns, conn)
	if claims {
		if _, err := io.WriteString(conn, proxyLine); err != nil {
			return err
		}
	}
	ended := make(chan struct{})
	h.group.Go(func() {
		hold := [2]string{holdHeader, "1"}
		var err error
		if http2 {
			_, err = h.bench.by(overHTTP2(conn), hold)
		} else {
			_, err = h.bench.request(conn, bufio.NewReader(conn), hold)
		}
		h.mu.Lock()
		h.problems = append(h.problems, err)
		h.mu.Unlock()
		close(ended)
	})
	select {
	case s := <-h.bench.arrived:
		_ = conn.SetDeadline(time.Time{}) // it is held for as long as its objects are looked at
		s.downstream, s.cluster = conn.LocalAddr().String(), r.cluster
		h.requests = append(h.requests, s)
		return nil
	case <-ended:
		return errors.New("it ended before it arrived")
	case <-time.After(benchTimeout):
		return fmt.Errorf("it did not arrive within %s", benchTimeout)
	}
}

// release lets the upstream answer, and ends the connections. What is sent to be held afterwards is answered at once. The error is for
// a request that was not answered as it should be: its objects may not have stood still.
func (h *held) release() error {
	close(h.bench.release)
	return h.end()
}

// end waits for the answers, and ends the connections.
func (h *held) end() error {
	for _, conn := range h.conns {
		_ = conn.SetDeadline(time.Now().Add(benchTimeout))
	}
	h.group.Wait()
	for _, conn := range h.conns {
		_ = conn.Close()
	}
	return errors.Join(h.problems...)
}
