package lesson

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// A Question asks for one decision of a path, or for one value of it, before it is shown.
type Question struct {
	Subject Subject  `json:"subject,omitzero"`
	Lost    bool     `json:"lost,omitempty"`  // it asks for what was left out, not for what was taken
	After   string   `json:"after,omitempty"` // it asks which event of File comes next, after the one with this text
	File    string   `json:"file,omitempty"`
	Event   string   `json:"event,omitempty"` // that event
	Text    string   `json:"text,omitempty"`  // the scenario's own words; "": those of the hop's kind
	Hint    string   `json:"hint,omitempty"`  // the scenario's own; "": what a wrong answer is wrong by
	Proxy   string   `json:"proxy,omitempty"`
	Hop     int      `json:"hop"`               // index into the path's hops
	Choices []Choice `json:"choices,omitempty"` // in the order in which they are shown; none where a value is asked for
	Answer  string   `json:"answer"`
	Source  string   `json:"source,omitempty"` // JSON pointer into the proxy's dump to what decides
	Why     string   `json:"why,omitempty"`
}

// A Choice is one answer of a multiple choice.
type Choice struct {
	Name   string `json:"name"`
	Right  bool   `json:"right,omitempty"`
	Why    string `json:"why,omitempty"`    // why it was taken, or why it lost
	Source string `json:"source,omitempty"` // JSON pointer to it, in the dump of Proxy
	Proxy  string `json:"proxy,omitempty"`  // "pod.namespace" whose resource it is
}

// mostChoices is how many answers are offered: more are not read.
const mostChoices = 4

// Ask makes the question about a subject of a path. Every wrong answer is one that really lost: an
// alternative of the hop that inference looked at and refused, with that reason, or what the other
// sidecar decided at its hop of the same kind. What the path leaves open is no question.
func Ask(path flow.Path, s Subject) (Question, error) {
	q, hop, err := begin(path, s)
	if err != nil {
		return q, err
	}
	if s.Fact != "" {
		return q.value(hop)
	}
	winner := Choice{Name: winnerOf(hop), Right: true, Why: hop.Why, Source: hop.Source, Proxy: hop.Proxy}
	q.Answer = winner.Name
	wrong := losers(path, q.Hop, winner.Name)
	if len(wrong) == 0 {
		return q, fmt.Errorf("nothing lost at %s, so there is nothing to choose from (ask for a fact of it)", s)
	}
	q.Choices = q.offered(winner, wrong)
	return q, nil
}

// AskLost makes the question which of a hop's alternatives is configured and was left out. The
// wrong answers are what the hop really took.
func AskLost(path flow.Path, s Subject) (Question, error) {
	q, hop, err := begin(path, s)
	if err != nil {
		return q, err
	}
	left := slices.DeleteFunc(slices.Clone(hop.Rejected), func(a flow.Alternative) bool { return a.Source == "" })
	if len(left) != 1 || s.Fact != "" {
		return q, fmt.Errorf("%d alternatives of %s were left out, and the question needs one", len(left), s)
	}
	q.Lost, q.Answer, q.Why, q.Source = true, left[0].Name, left[0].Why, left[0].Source
	var taken []Choice
	for _, name := range strings.Split(hop.Decision, ", ") {
		taken = append(taken, Choice{Name: name, Source: hop.Source, Proxy: hop.Proxy})
	}
	q.Choices = q.offered(Choice{Name: q.Answer, Right: true, Why: q.Why, Source: q.Source, Proxy: hop.Proxy}, taken)
	return q, nil
}

func begin(path flow.Path, s Subject) (Question, flow.Hop, error) {
	i, err := s.find(path)
	if err != nil {
		return Question{}, flow.Hop{}, err
	}
	hop := path.Hops[i]
	if s.Side == "" {
		s.Side = hop.Side
	}
	if hop.Certainty != "" && hop.Certainty != flow.Certain || len(hop.Choices) > 1 {
		return Question{}, hop, fmt.Errorf("%s is open: %s", s, strings.Join(hop.Open, ", "))
	}
	return Question{Subject: s, Proxy: hop.Proxy, Hop: i, Source: hop.Source, Why: hop.Why}, hop, nil
}

// value makes the question for the value of a fact.
func (q Question) value(hop flow.Hop) (Question, error) {
	var values []string
	for _, f := range hop.Expect {
		if f.Name == q.Subject.Fact && !f.Absent && !f.May && f.Value != "" {
			values = append(values, f.Value)
		}
	}
	switch {
	case len(values) != 1:
		return q, fmt.Errorf("%s has %d values, and the question needs one", q.Subject, len(values))
	case strings.Trim(values[0], "*") == "":
		return q, fmt.Errorf("%s can have any value", q.Subject)
	}
	q.Answer = values[0]
	return q, nil
}

// winnerOf names a hop's decision as its alternatives are named.
func winnerOf(hop flow.Hop) string {
	if hop.Kind != flow.Route {
		return hop.Decision
	}
	if rivalRoutes(hop) {
		if _, rest, ok := strings.Cut(hop.Source, "/routes/"); ok {
			index, _, _ := strings.Cut(rest, "/")
			return strings.TrimSpace(routePrefix+factOf(hop, flow.FactRoute)) + " [" + index + "]"
		}
		return hop.Decision
	}
	if host := factOf(hop, flow.FactVirtualHost); host != "" {
		return hostPrefix + host
	}
	return hop.Decision
}

// factOf is the value that a hop expects of a fact; "" where it expects none.
func factOf(hop flow.Hop, name string) string {
	i := slices.IndexFunc(hop.Expect, func(f flow.Fact) bool { return f.Name == name && !f.Absent })
	if i < 0 {
		return ""
	}
	return hop.Expect[i].Value
}

// The words by which inference names the alternatives of a route.
const (
	hostPrefix  = "virtual host "
	routePrefix = "route "
)

// rivalRoutes reports whether routes of the virtual host itself lost.
func rivalRoutes(hop flow.Hop) bool {
	return slices.ContainsFunc(
		hop.Rejected,
		func(a flow.Alternative) bool { return strings.HasPrefix(a.Name, routePrefix) && a.Source != "" },
	)
}

// isChoice reports whether an alternative is one resource of the dump, and of the kind
// that the hop is about.
func isChoice(hop flow.Hop, a flow.Alternative) bool {
	switch {
	case a.Source == "":
		return false
	case hop.Kind != flow.Route:
		return true
	case rivalRoutes(hop):
		return strings.HasPrefix(a.Name, routePrefix)
	}
	return strings.HasPrefix(a.Name, hostPrefix)
}

// losers are the wrong answers about a hop of a path: its alternatives that are resources of the
// dump, and where there is none of them the decision at the hop of the same kind of the other
// sidecar.
func losers(path flow.Path, at int, winner string) []Choice {
	hop := path.Hops[at]
	var found []Choice
	add := func(c Choice) {
		if c.Name != winner && c.Why != "" &&
			!slices.ContainsFunc(found, func(f Choice) bool { return f.Name == c.Name }) {
			found = append(found, c)
		}
	}
	for _, a := range hop.Rejected {
		if isChoice(hop, a) {
			add(Choice{Name: a.Name, Why: a.Why, Source: a.Source, Proxy: hop.Proxy})
		}
	}
	if len(found) > 0 {
		return found
	}
	for i, other := range path.Hops {
		if i != at && other.Kind == hop.Kind && other.Side != hop.Side && other.Certainty != flow.Depends &&
			other.Certainty != flow.Chance {
			add(Choice{Name: winnerOf(other), Why: other.Why, Source: other.Source, Proxy: other.Proxy})
		}
	}
	return found
}

// offered are at most mostChoices answers, in the same order for every learner. Wrong answers that
// were refused for different reasons come before those with the same one, and among them those
// whose names are most like the right one.
func (q Question) offered(right Choice, wrong []Choice) []Choice {
	reasons := map[string]int{}
	turn := make([]int, len(wrong))
	for i := len(wrong) - 1; i >= 0; i-- { // the nearest rival is the last that was refused
		turn[i] = reasons[wrong[i].Why]
		reasons[wrong[i].Why]++
	}
	order := make([]int, len(wrong))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		likeness := cmp.Compare(alike(wrong[b].Name, right.Name), alike(wrong[a].Name, right.Name))
		return cmp.Or(cmp.Compare(turn[a], turn[b]), likeness, cmp.Compare(b, a))
	})
	all := []Choice{right}
	for _, i := range order[:min(len(order), mostChoices-1)] {
		all = append(all, wrong[i])
	}
	return arranged(q.Subject.String(), all)
}

// arranged puts choices into an order that the question alone decides, so that it tells nothing.
func arranged(question string, all []Choice) []Choice {
	place := func(c Choice) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(question + "\x00" + c.Name))
		return h.Sum64()
	}
	slices.SortStableFunc(all, func(a, b Choice) int { return cmp.Compare(place(a), place(b)) })
	return all
}

// alike is how many bytes two names begin with in common.
func alike(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
