package verify

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

// Passes says why a run does not pass although the hops in allowed may stay without evidence: nil
// when it does. The error is of the kind fault.Mismatch or
// fault.Incomplete, or fault.Usage where a hop in allowed needed no allowance.
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
		return fault.Mismatchf("verify: %d of %d hops refuted", verdict.Refuted, len(verdict.Hops))
	case verdict.Refuted > 0: // and yet no mismatch: the problems say why
		return fault.Incompletef("verify: %s", strings.Join(verdict.Problems, "; "))
	case len(unseen) > 0 && len(verdict.Problems) > 0:
		return fault.Incompletef("verify: %s; not observed: %s", strings.Join(verdict.Problems, "; "),
			strings.Join(unseen, ", "))
	case len(unseen) > 0 && len(stale) > 0:
		return fault.Incompletef("verify: not observed: %s (-allow-unobserved names %s, which is none of them)",
			strings.Join(unseen, ", "), strings.Join(stale, ", "))
	case len(unseen) > 0:
		return fault.Incompletef("verify: not observed: %s", strings.Join(unseen, ", "))
	case len(verdict.Problems) > 0:
		return fault.Incompletef("verify: %s", strings.Join(verdict.Problems, "; "))
	}
	if len(stale) > 0 {
		return fault.Usagef("verify: no hop %q stayed unobserved (take it off -allow-unobserved)", stale[0])
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

// hopName is how a person names a verdict's hop: client/route.
func hopName(v flow.HopVerdict) string {
	if v.Side == "" {
		return string(v.Kind)
	}
	return string(v.Side) + "/" + string(v.Kind)
}
