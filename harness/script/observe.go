package script

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/run"
)

var observeCommand = Command{
	Name:    "observe",
	Usage:   "observe",
	Summary: "Read what the instruments recorded around the request, and keep what they saw",
	Detail: "It waits until both sidecars' logs hold everything that was logged before and, where the mesh declares " +
		"an access log in " + strings.Join(accesslog.Forms(), " or ") + ", the\n" +
		"request's line in it, closes the windows and reads them together with what else was recorded and with " +
		"curl's own account. No\n" +
		"instrument looks at a config dump. Before it both sidecars are dumped once more: where on the request's way " +
		"anything is not as\n" +
		"inference read it, nothing that was inferred is verified. An Envoy that was restarted in between, or a log " +
		"that broke off, makes its instrument incomplete, and then\n" +
		"no run is verified.",
	hand:   nothingTyped,
	replay: (*replay).observe,
	run: func(s *session, args []string) error {
		if len(args) != 0 {
			return badUsage("it takes no argument")
		}
		if !s.Sent() {
			return badUsage("there is nothing to observe before request")
		}
		if err := s.Observe(s.ctx); err != nil {
			return err
		}
		s.printWatches()
		return nil
	},
}

// printWatches says what every instrument saw.
func (s *session) printWatches() {
	s.print("%s", plural(len(s.Flow.Observations), "observation"))
	for _, w := range s.Flow.Watches {
		s.print("%s", watchLine(w, s.Flow.Observations))
	}
	for _, c := range s.Flow.Configuration {
		s.print("%s", configurationLine(c))
	}
}

func watchLine(w flow.Watch, seen []flow.Observation) string {
	line := strings.TrimSpace(string(w.Instrument)+" "+string(w.Side)) + ": " + plural(run.Count(w, seen),
		"observation")
	if !w.Complete {
		line += ", incomplete: " + w.Problem
	}
	return line
}

// configurationLine says in one line what became of a configuration.
func configurationLine(c flow.Configuration) string {
	switch {
	case c.Problem != "":
		return "configuration of " + c.Proxy + ": it is not known what it was at the request: " + c.Problem
	case len(c.Changes) > 0:
		return "configuration of " + c.Proxy + ": changed on the way: " + c.Changes[0].String()
	}
	return "configuration of " + c.Proxy + ": unchanged on the way, " + plural(c.Compared, "resource")
}

// observe shows what the instruments of the recorded run saw.
func (r *replay) observe([]string) error {
	r.session.printWatches()
	return nil
}
