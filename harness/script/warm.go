package script

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/exit"
)

// warmTimeout bounds how long requests are sent until every worker has had one.
const warmTimeout = 60 * time.Second

// warmRequests is how many requests are sent between two looks at the socket table, one after the other.
const warmRequests = 4

var poolConnectionsCommand = Command{
	Name:    "pool-connections",
	Usage:   "pool-connections FROM -> URL until warm",
	Summary: "Send requests, one after the other, until every worker of the client's sidecar keeps a connection to the server",
	Detail: "It is the opposite of kill-connections: whichever worker takes the next request finds a connection in its pool, and so does the\n" +
		"server's sidecar. It begins with empty pools, so that the number of connections tells. Windows onto logs and counters are opened\n" +
		"after it, so that they are about the next request alone.",
	run: func(s *session, args []string) error {
		from, to, err := fromTo(args)
		if err != nil || strings.Join(args[3:], " ") != "until warm" {
			return badUsage("write FROM -> URL until warm")
		}
		call, err := newCall(from, to)
		switch {
		case err != nil:
			return err
		case s.sent != nil:
			return badUsage("the request has been sent already")
		case s.run.Call.URL != "" && !sameCall(s.run.Call, call):
			return badUsage(fmt.Sprintf("what was inferred is %s -> %s", s.run.Call.From, s.run.Call.URL))
		}
		n, err := s.warm(call)
		if err != nil {
			return err
		}
		s.tables.cold, s.tables.warm = false, true
		s.print("%s, one for each worker of %s", plural(n, "connection"), from)
		return nil
	},
}

// warm returns how many connections there are in the end.
func (s *session) warm(call flow.Call) (int, error) {
	server, port, err := s.destination()
	if err != nil || server == "" {
		return 0, badUsage("infer has to say first which pod is called")
	}
	target, err := s.target(fmt.Sprintf("%s:%d", server, port))
	if err != nil {
		return 0, err
	}
	client := call.From + "." + call.Namespace
	pool := pool{pod: client, remote: target, what: "the client sidecar's pool"}
	if _, err := s.emptyPool(pool); err != nil {
		return 0, err
	}
	sidecar, err := s.sidecar(client)
	if err != nil {
		return 0, err
	}
	identity, err := sidecar.Identity(s.ctx)
	if err != nil {
		return 0, err
	}
	return identity.Workers, s.fillPool(call, pool, target, identity.Workers)
}

// fillPool sends requests until the pool has a connection of every worker: one request after the other needs no second one.
func (s *session) fillPool(call flow.Call, p pool, target netip.AddrPort, workers int) error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, warmTimeout, exit.Environmentf("not done within %s", warmTimeout))
	defer cancel()
	for {
		if err := s.sendSome(ctx, call); err != nil {
			return err
		}
		_, rows, err := s.readSockets(p.pod)
		if err != nil {
			return err
		}
		live := len(p.live(rows))
		switch {
		case live == workers:
			return nil
		case live > workers:
			return exit.Environmentf("fill %s: %s to %s for %d workers (does somebody else send requests?)", p.what, plural(live, "connection"), target, workers)
		case ctx.Err() != nil:
			return fmt.Errorf("fill %s: %d of %d workers have a connection to %s: %w", p.what, live, workers, target, context.Cause(ctx))
		}
	}
}

// sendSome sends some requests, each on a connection of its own to the client's sidecar, so that any worker may take it.
func (s *session) sendSome(ctx context.Context, call flow.Call) error {
	out, err := s.curl(ctx, call, warmRequests, "--header", "connection: close")
	if err != nil {
		return fmt.Errorf("send %s: %w", call.URL, err)
	}
	if out.Code != 0 {
		return exit.Environmentf("send %s: curl ended with %d: %s", call.URL, out.Code, firstLine(out.Stderr))
	}
	return nil
}
