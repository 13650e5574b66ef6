package script

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/lesson"
)

// Missed is a hop that is not as a scenario says it should be.
type Missed struct {
	Hop    string `json:"hop"`
	Want   string `json:"want"`
	Got    string `json:"got"` // "": the way does not come so far
	Proxy  string `json:"proxy,omitempty"`
	Source string `json:"source,omitempty"` // JSON pointer into the proxy's dump
	Why    string `json:"why,omitempty"`
}

// Error says what is and what should be.
func (m *Missed) Error() string {
	got := m.Got
	if got == "" {
		got = "not reached"
	}
	return fmt.Sprintf("expect %s %s: it is %s", m.Hop, m.Want, got)
}

var expectCommand = Command{
	Name:    "expect",
	Usage:   "expect HOP PATTERN [HOP PATTERN]...",
	Summary: "Hold what infer decided at hops against patterns",
	Detail: "In a pattern * stands for any text. It fails with the first hop of the way that is not as it should be, " +
		"and names the field\n" +
		"that decided; where the way does not come so far, that is the hop where it ends. A pattern of * says that " +
		"the way comes there.",
	offline: func([]string) bool { return true },
	hand:    nothingTyped,
	replay:  nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) == 0 || len(args)%2 != 0 {
			return badUsage("it needs hops, each with a pattern")
		}
		path := s.Flow.Path
		if len(path.Hops) == 0 {
			return badUsage("there is nothing to expect before infer")
		}
		for i := 0; i < len(args); i += 2 {
			subject, err := lesson.ParseSubject(args[i], "")
			if err != nil {
				return badUsage(err.Error())
			}
			if missed := missedAt(path, subject, args[i+1]); missed != nil {
				s.missed = missed
				return fault.Mismatchf("%w", missed)
			}
			s.print("%s %s", args[i], args[i+1])
		}
		return nil
	},
}

// missedAt is how a path misses a pattern at a hop; nil: it does not.
func missedAt(path flow.Path, subject lesson.Subject, pattern string) *Missed {
	last := path.Hops[len(path.Hops)-1]
	for _, hop := range path.Hops {
		if hop.Kind != subject.Kind || subject.Side != "" && hop.Side != subject.Side {
			continue
		}
		if lesson.Match(pattern, hop.Decision) {
			return nil
		}
		return &Missed{Hop: nameOf(hop), Want: pattern, Got: hop.Decision, Proxy: hop.Proxy,
			Source: hop.Source, Why: hop.Why}
	}
	return &Missed{Hop: subject.String(), Want: pattern, Proxy: last.Proxy, Source: last.Source,
		Why: strings.TrimSuffix(fmt.Sprintf("the way ends at %s, %s: %s; %s", nameOf(last), ending(path),
			last.Decision, last.Why), "; ")}
}
