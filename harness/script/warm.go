package script

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/run"
)

var poolConnectionsCommand = Command{
	Name:    "pool-connections",
	names:   ends,
	touches: changes,
	changes: flow.TouchConnections,
	Usage:   "pool-connections FROM -> URL until warm",
	Summary: "Send requests, one after the other, until every worker of the client's sidecar keeps a connection to " +
		"the server",
	Detail: "It is the opposite of kill-connections: whichever worker takes the next request finds a connection in " +
		"its pool, and so does the\n" +
		"server's sidecar. It begins with empty pools, so that the number of connections tells. Windows onto logs " +
		"and counters are opened\n" +
		"after it, so that they are about the next request alone.",
	hand:   nothingTyped,
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		from, to, err := fromTo(args)
		if err != nil || strings.Join(args[3:], " ") != "until warm" {
			return badUsage("write FROM -> URL until warm")
		}
		call, err := s.NewCall(from, to)
		switch {
		case err != nil:
			return err
		case s.Sent():
			return badUsage("the request has been sent already")
		case s.Flow.Call.URL == "":
			return badUsage("infer has to say first which pod is called")
		case !run.Same(s.Flow.Call, call):
			return badUsage(fmt.Sprintf("what was inferred is %s -> %s", s.Flow.Call.From, s.Flow.Call.URL))
		}
		n, err := s.Warm(s.ctx, call)
		if err != nil {
			return err
		}
		if workers := s.Workers(); n != workers {
			s.print("%s for %s of %s: others send requests over it", plural(n, "connection"),
				plural(workers, "worker"), from)
			return nil
		}
		s.print("%s, one for each worker of %s", plural(n, "connection"), from)
		return nil
	},
}
