package script

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/exit"
)

var verifyCommand = Command{
	Name:    "verify",
	Usage:   "verify [-allow-unobserved HOP,HOP,...]",
	Summary: "Judge hop by hop whether what was seen is what was inferred",
	Detail: "It fails when a hop is refuted, when a hop was not observed, or when an instrument lost something. A hop that no instrument of\n" +
		"this lab can see has to be named, as client/resolve or resolve, to pass without evidence; a hop that is named and was seen fails\n" +
		"too, so that the list stays honest.",
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
		if err := report.Text(&s.out, s.Flow, verdict, report.Options{}); err != nil {
			return err
		}
		return Passes(verdict, allowed)
	},
}

// Passes says why a run does not pass although the hops in allowed may stay without evidence: nil when it does. The error has the
// exit code.
func Passes(verdict flow.RunVerdict, allowed []string) error {
	used := map[string]bool{}
	var unseen []string
	for _, v := range verdict.Hops {
		if v.State != flow.NotObserved {
			continue
		}
		if name := allowedBy(v, allowed); name != "" {
			used[name] = true
			continue
		}
		unseen = append(unseen, hopName(v))
	}
	stale := slices.DeleteFunc(slices.Clone(allowed), func(name string) bool { return used[name] })
	switch {
	case verdict.Refuted > 0 && verdict.Result != flow.Incomplete:
		return exit.Mismatchf("verify: %d of %d hops refuted", verdict.Refuted, len(verdict.Hops))
	case verdict.Refuted > 0: // and yet no mismatch: the problems say why
		return exit.Incompletef("verify: %s", strings.Join(verdict.Problems, "; "))
	case len(unseen) > 0 && len(verdict.Problems) > 0:
		return exit.Incompletef("verify: %s; not observed: %s", strings.Join(verdict.Problems, "; "), strings.Join(unseen, ", "))
	case len(unseen) > 0 && len(stale) > 0:
		return exit.Incompletef("verify: not observed: %s (-allow-unobserved names %s, which is none of them)", strings.Join(unseen, ", "), strings.Join(stale, ", "))
	case len(unseen) > 0:
		return exit.Incompletef("verify: not observed: %s", strings.Join(unseen, ", "))
	case len(verdict.Problems) > 0:
		return exit.Incompletef("verify: %s", strings.Join(verdict.Problems, "; "))
	}
	if len(stale) > 0 {
		return exit.Usagef("verify: no hop %q stayed unobserved (take it off -allow-unobserved)", stale[0])
	}
	return nil
}

func allowedBy(v flow.HopVerdict, allowed []string) string {
	for _, name := range allowed {
		if name == hopName(v) || name == string(v.Kind) {
			return name
		}
	}
	return ""
}

// hopName is how a script names a verdict's hop.
func hopName(v flow.HopVerdict) string { return nameOf(flow.Hop{Kind: v.Kind, Side: v.Side}) }
