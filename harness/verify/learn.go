package verify

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// certain says whether inference leaves nothing of the path open. A path of before
// the field is certain.
func certain(p flow.Path) bool { return p.Certainty == "" || p.Certainty == flow.Certain }

// fits says whether a way fits what was seen better than another: fewer hops are refuted, then
// fewer are without evidence.
func fits(way, other flow.RunVerdict) bool {
	if way.Refuted != other.Refuted {
		return way.Refuted < other.Refuted
	}
	return way.Refuted == 0 && way.NotObserved < other.NotObserved
}

// learn turns the verdict on the way that fits best into one on a path that is open: hops that are
// not certain are learned by what was seen. Where there may be ways that cannot be named, one that
// no named way fits contradicts nothing.
func learn(v *flow.RunVerdict, path flow.Path) {
	taken := v.TakenPath(path)
	for i := range v.Hops {
		h := &v.Hops[i]
		open := openHop(path, taken.Hops[h.Hop])
		if h.State != flow.Confirmed || len(open) == 0 {
			continue
		}
		h.State, h.Reason = flow.Learned, "inference leaves it open: it depends on "+strings.Join(open, ", ")
		v.Confirmed--
		v.Learned++
	}
	switch {
	case v.Refuted > 0 && path.Others && v.Result == flow.Mismatch:
		v.Result = flow.Incomplete
		v.Problems = append(v.Problems,
			"what was seen is none of the ways that inference can name, and there may be others")
	case v.Result == flow.Verified:
		v.Result = flow.Consistent
	}
}

// openHop says on what a hop of the way that was taken depends: what it or its namesake in the path
// says, or, where they differ, all that the path depends on.
func openHop(path flow.Path, hop flow.Hop) []string {
	if hop.Certainty != "" && hop.Certainty != flow.Certain {
		return hop.Open
	}
	i := slices.IndexFunc(path.Hops, func(h flow.Hop) bool { return h.Kind == hop.Kind && h.Side == hop.Side })
	if i >= 0 && path.Hops[i].Decision == hop.Decision {
		if c := path.Hops[i].Certainty; c != "" && c != flow.Certain {
			return path.Hops[i].Open
		}
		return nil
	}
	var on []string
	for _, d := range path.Depends {
		if !slices.Contains(on, d.On) {
			on = append(on, d.On)
		}
	}
	return on
}
