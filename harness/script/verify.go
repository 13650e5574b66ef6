package script

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/verify"
)

// uncut is a width at which a report cuts no name: a scenario's lines may ask for any part of it.
const uncut = 1000

var verifyCommand = Command{
	Name:    "verify",
	Usage:   "verify [-allow-unobserved HOP,HOP,...]",
	Summary: "Judge hop by hop whether what was seen is what was inferred",
	Detail: "It fails when a hop is refuted, when a hop was not observed, or when an instrument lost something. A " +
		"hop that no instrument of\n" +
		"this lab can see has to be named, as client/resolve or resolve, to pass without evidence; a hop that is " +
		"named and was seen fails\n" +
		"too, so that the list stays honest.",
	hand:   nothingTyped,
	replay: (*replay).verify,
	run: func(s *session, args []string) error {
		var allowed []string
		switch {
		case len(args) == 2 && args[0] == "-allow-unobserved":
			allowed = strings.Split(args[1], ",")
		case len(args) != 0:
			return badUsage("it takes nothing but -allow-unobserved with a list")
		}
		if len(s.Flow.Path.Hops) == 0 || len(s.Flow.Watches) == 0 {
			return badUsage("there is nothing to judge before infer and observe")
		}
		s.Flow.Accepted = allowed
		verdict := verify.Judge(s.Flow)
		s.verdict = &verdict
		if err := s.printVerdict(verdict); err != nil {
			return err
		}
		if err := verify.Passes(verdict, allowed); err != nil {
			return err
		}
		return s.judgeAnswers(verdict)
	},
}

// printVerdict prints the table of a verdict: whole names in one line for the scenario, and as wide
// as the screen for its reader.
func (s *session) printVerdict(verdict flow.RunVerdict) error {
	if s.columns > 0 {
		var folded strings.Builder
		if err := report.Text(&folded, s.Flow, verdict, report.Options{Width: s.columns}); err != nil {
			return err
		}
		s.folded = s.out.String() + folded.String()
	}
	return report.Text(&s.out, s.Flow, verdict, report.Options{Width: uncut})
}

// verify shows the recorded verdict, once.
func (r *replay) verify([]string) error {
	if r.judged {
		return errNothing
	}
	r.judged = true
	if err := r.session.printVerdict(r.rec.Verdict); err != nil {
		return err
	}
	return r.session.judgeAnswers(r.rec.Verdict)
}
