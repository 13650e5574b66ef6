package script

import (
	"context"
	"fmt"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/internal/exit"
)

var controlCommand = Command{
	Name:    "control",
	Usage:   "control FROM -> URL",
	Summary: "After the request, send another one that must be answered, to show that the instruments were still watching",
	Detail: "It is for a request of which nothing must be seen: that nothing was seen counts only when something else was. Read the counters\n" +
		"and the socket tables before it, so that they are about the request alone; observe then waits for the control's line in the\n" +
		"client's access log.",
	run: func(s *session, args []string) error {
		from, to, err := fromTo(args)
		if err != nil || len(args) != 3 {
			return badUsage("write FROM -> URL")
		}
		if s.sent == nil || s.control.URL != "" {
			return badUsage("it comes once, after request")
		}
		call, err := s.newCall(from, to)
		if err != nil {
			return err
		}
		out, err := s.sendControl(call)
		if err != nil {
			return err
		}
		told, err := curl.Parse(out)
		if err != nil || told.Status == 0 {
			return exit.Incompletef("control %s: it must be answered, and was not: %s", to, firstLine([]byte(told.Failure)))
		}
		s.control = call
		s.print("status %d", told.Status)
		return nil
	},
}

// sendControl runs curl for a call that is not the run's, and returns its account.
func (s *session) sendControl(call flow.Call) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(s.ctx, requestTimeout, exit.Environmentf("no answer within %s", requestTimeout))
	defer cancel()
	out, err := s.curl(ctx, call, 1)
	if err != nil {
		return nil, fmt.Errorf("control %s: %w", call.URL, err)
	}
	return out.Stderr, nil
}

// containerOf is the container that a call is sent from.
func containerOf(call flow.Call, app string) string {
	if call.Container != "" {
		return call.Container
	}
	return app
}
