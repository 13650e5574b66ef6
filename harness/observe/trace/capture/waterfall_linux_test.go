//go:build linux && amd64

package capture

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/testbed"
)

// TestWaterfall sends one request through every build of Envoy: what each of its HTTP filters was
// given, in which order, and how long it took is recovered from the statements of the filter
// manager, and all of it together takes no longer than the request did.
func TestWaterfall(t *testing.T) {
	needRoot(t)
	if err := envoy.HaveMulti(); err != nil {
		skip(t, err.Error())
	}
	for version, path := range binaries(t) {
		t.Run(version, func(t *testing.T) {
			const id = "7e3b1c52-5d0e-4b61-9f5e-2f6a3c9d0a11"
			var whole time.Duration
			r := onItsOwnThread(t, func() (*trace.Recording, error) { return watchRequest(t, path, id, &whole) })
			r.Pods[0].Side = flow.Client
			steps, statements := r.FilterSteps(trace.Selection{RequestID: id})
			calls := map[string]int{}
			var sum time.Duration
			for _, s := range steps {
				if !s.Upstream {
					calls[s.Call]++
				}
				if !s.Within {
					sum += s.Took()
				}
				if s.Took() < 0 || s.End.Before(s.Begin) {
					t.Errorf("a step ends before it begins: %+v", s)
				}
			}
			if calls["decode headers"] != 2 || calls["encode headers"] != 1 || statements == 0 {
				t.Errorf(
					"the filters fault and router were called so: %v, among %d statements: %+v",
					calls,
					statements,
					steps,
				)
			}
			if sum <= 0 || sum > whole {
				t.Errorf("the filters took %s, and the whole request %s", sum, whole)
			}
		})
	}
}

// watchRequest sends a request with an id through an Envoy of its own while it is watched, and
// says how long it took.
func watchRequest(t *testing.T, path, id string, whole *time.Duration) (_ *trace.Recording, err error) {
	b, err := testbed.New(t.Context(), path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	s, err := watchBed(
		t.Context(),
		b,
		Options{Cache: envoybinary.Cache{Dir: t.TempDir()}, Statements: trace.LevelTrace},
	)
	if err != nil {
		return nil, err
	}
	conn, err := b.Dial(b.Routes[0].Port)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	defer conn.Close()
	begin := time.Now()
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: waterfall\r\nx-request-id: %s\r\n\r\n", id)
	if err == nil {
		err = conn.SetReadDeadline(begin.Add(testbed.Timeout))
	}
	if err == nil {
		var response *http.Response
		if response, err = http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			err = response.Body.Close()
		}
	}
	*whole = time.Since(begin)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s.Stop()
}
