package run

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

// warmTimeout bounds how long requests are sent until every worker has had one.
const warmTimeout = 60 * time.Second

// warmRequests is how many requests are sent between two looks at the socket table,
// one after the other.
const warmRequests = 4

// Warm sends requests until every worker of the client's sidecar keeps a connection to the only pod
// behind the URL, and returns how many there are. It begins with an empty pool, so that the number
// of connections tells; where others fill it too, it does not, and nothing is said about the pool
// when the request is sent.
func (s *Session) Warm(ctx context.Context, call flow.Call) (workers int, err error) {
	target, err := s.onlyEnd(ctx, call)
	if err != nil {
		return 0, err
	}
	pool := Pools(Caller(call), "", target)[0]
	sidecar, err := s.Sidecar(ctx, Caller(call))
	if err != nil {
		return 0, err
	}
	identity, err := sidecar.Identity(ctx)
	if err != nil {
		return 0, err
	}
	s.cold, s.warm, s.unknown, s.proven, s.workers = false, false, false, nil, identity.Workers
	if _, err := s.emptyPool(ctx, pool, nil); errors.Is(err, ErrInUse) {
		s.poolUnknown(pool, err)
	} else if err != nil {
		return 0, err
	}
	n, err := s.fillPool(ctx, call, pool, identity.Workers)
	switch {
	case err != nil:
		return n, err
	case s.unknown:
	case n > s.workers:
		s.poolUnknown(pool, s.notOneEach(n))
	default:
		s.warm, s.proven = true, []Pool{pool}
	}
	return n, nil
}

// Workers is how many worker threads the client's sidecar has, once its pool was filled.
func (s *Session) Workers() int { return s.workers }

// onlyEnd is the address of the only application behind a call's URL.
func (s *Session) onlyEnd(ctx context.Context, call flow.Call) (netip.AddrPort, error) {
	behind, err := s.Behind(ctx, call)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if len(behind.Pods) != 1 || behind.Port == 0 {
		return netip.AddrPort{}, fault.Usagef("fill the pool to %s: %s behind it, and one is needed", call.URL,
			plural(len(behind.Pods), "pod"))
	}
	return s.addressAt(ctx, behind.Pods[0], behind.Port)
}

// addressAt is the address of a port of a pod.
func (s *Session) addressAt(ctx context.Context, ref string, port uint16) (netip.AddrPort, error) {
	pod, err := s.Lab.Mesh.Pod(ctx, ref)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ip, err := netip.ParseAddr(pod.IP())
	if err != nil {
		return netip.AddrPort{}, fault.Environmentf("read address of %s: %w", pod.Ref(), err)
	}
	return netip.AddrPortFrom(ip.Unmap(), port), nil
}

// fillPool sends requests until the pool has a connection of every worker, and returns how many it
// has: one request after the other needs no second one, and where there are more, others send
// requests.
func (s *Session) fillPool(ctx context.Context, call flow.Call, p Pool, workers int) (int, error) {
	filling, cancel := context.WithTimeoutCause(ctx, warmTimeout, fault.Environmentf("not done within %s", warmTimeout))
	defer cancel()
	for {
		if err := s.sendSome(filling, call); err != nil {
			return 0, err
		}
		_, rows, err := s.Sockets(ctx, p.Pod)
		if err != nil {
			return 0, err
		}
		live := len(p.live(rows))
		switch {
		case live >= workers:
			return live, nil
		case filling.Err() != nil:
			return live, fmt.Errorf("fill %s: %d of %d workers have a connection to %s: %w", p.What, live, workers,
				p.Remote, context.Cause(filling))
		}
	}
}

// sendSome sends some requests, each on a connection of its own to the client's sidecar, so that
// any worker may take it.
func (s *Session) sendSome(ctx context.Context, call flow.Call) error {
	out, err := s.curl(ctx, call, warmRequests, "--header", "connection: close")
	if err != nil {
		return fmt.Errorf("send %s: %w", call.URL, err)
	}
	if out.Code != 0 {
		return fault.Environmentf("send %s: curl ended with %d: %s", call.URL, out.Code, firstLine(out.Stderr))
	}
	return nil
}
