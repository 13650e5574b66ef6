package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/screen"
)

// A conclusion is how a way ends, as the first line of a report says it.
type conclusion struct {
	outcome   flow.Outcome
	failure   flow.Failure
	flag      string
	status    int
	location  string
	certainty flow.Certainty
	beyond    string
	hops      []flow.Hop // of the whole way
}

// headline says in one line how the request ends, who answers it, and why.
func (c conclusion) headline() string {
	if len(c.hops) == 0 {
		return endingText(c.outcome, c.failure, c.flag, c.status, c.location)
	}
	last := c.hops[len(c.hops)-1]
	text := ""
	switch c.outcome {
	case flow.Forwarded:
		text = c.sign(true) + "forwarded to " + c.destination(last)
		if last.Kind == flow.App && last.Proxy != "" {
			text += ", the application of " + last.Proxy
		}
		if c.beyond != "" {
			text += ": " + c.beyond
		}
	default:
		text = c.sign(c.outcome == flow.Answered && c.statusOf(last) < 400) + c.answer(last)
		text += " by " + cmp.Or(last.Proxy, "the proxy") + " at " + string(last.Kind)
		if last.Object != "" {
			text += " of " + last.Object
		}
		text += with(": ", ofRoute(last))
	}
	if c.certainty == flow.Depends || c.certainty == flow.Chance {
		text += "; that is not certain, see below"
	}
	return text
}

// destination is what a request that is forwarded reaches: an application, an address, or one of
// several endpoints.
func (c conclusion) destination(last flow.Hop) string {
	if last.Kind == flow.Connect && len(last.Choices) > 0 {
		for _, h := range slices.Backward(c.hops) {
			if h.Kind == flow.Endpoint {
				return h.Decision
			}
		}
	}
	to := strings.TrimPrefix(last.Decision, "the application on ")
	if _, end, ok := strings.Cut(to, "* → "); ok {
		return end
	}
	return to
}

func (c conclusion) sign(good bool) string {
	switch {
	case c.certainty == flow.Depends || c.certainty == flow.Chance:
		return "? "
	case good:
		return "✓ "
	}
	return "✗ "
}

// statusOf is the status of an answer of a proxy's own: the decision's, or what its last hop says
// that an instrument must see.
func (c conclusion) statusOf(last flow.Hop) int {
	if c.status != 0 {
		return c.status
	}
	status := 0
	for _, f := range last.Expect {
		if f.Name == flow.FactStatus {
			_, _ = fmt.Sscanf(f.Value, "%d", &status)
		}
	}
	return status
}

// answer is what a proxy answers itself: "503, no healthy upstream host (UH)".
func (c conclusion) answer(last flow.Hop) string {
	if c.outcome == flow.Answered && last.Kind == flow.Route {
		return last.Decision
	}
	var words []string
	if status := c.statusOf(last); status != 0 {
		words = append(words, fmt.Sprint(status))
	}
	failure := strings.ReplaceAll(string(c.failure), "_", " ")
	meaning := cmp.Or(flow.FlagMeaning(c.flag), failure)
	if c.failure == flow.NoFilterChain { // has the flag of a request without a route
		meaning = failure
	}
	if meaning != "" {
		words = append(words, meaning)
	}
	text := strings.Join(words, ", ")
	if text == "" {
		text = string(c.outcome)
	}
	if c.flag != "" {
		text += " (" + c.flag + ")"
	}
	if c.location != "" {
		text += " to " + c.location
	}
	return text
}

// with puts text behind what leads to it, where there is one.
func with(lead, text string) string {
	if text == "" {
		return ""
	}
	return lead + text
}

// short writes hops, a line each: its kind, what was decided, and why in a few words.
func (t *textWriter) short(hops []flow.Hop) {
	for len(hops) > 0 {
		n := 1
		for n < len(hops) && heading(hops[n]) == heading(hops[0]) {
			n++
		}
		t.line("")
		t.wrap(0, 2, heading(hops[0]))
		t.shortProxy(hops[:n])
		hops = hops[n:]
	}
}

// Of the short form: how many columns a reason takes at least, or it is left out, and how many
// stand before it.
const (
	leastWhy = 20
	between  = "  "
)

func (t *textWriter) shortProxy(hops []flow.Hop) {
	room := t.width() - textColumn
	column := 0
	for _, h := range hops {
		column = max(column, runewidth.StringWidth(shortDecision(h)))
	}
	column = min(column, room*2/5)
	object := ""
	for _, h := range hops {
		lead := strings.Repeat(" ", kindColumn) + string(h.Kind)
		if mark := openMark(h.Certainty); mark != "" {
			lead = mark + string(h.Kind)
		}
		why := shortWhy(h, h.Object != object)
		least := leastWhy
		if h.Object != "" && h.Object != object { // what it is called is not cut
			object, least = h.Object, runewidth.StringWidth(h.Object)+1
		}
		decision := screen.Middle(shortDecision(h), room)
		if room-runewidth.StringWidth(decision)-len(between) < least {
			decision = screen.Middle(shortDecision(h), min(room, max(room-least-len(between),
				runewidth.StringWidth(screen.Shortest(shortDecision(h))))))
		}
		line := pad(lead, textColumn) + pad(decision, column)
		left := t.width() - runewidth.StringWidth(line) - len(between)
		switch {
		case why == "" || left < least && least == leastWhy:
			t.line(line)
		case left < least:
			t.line(line)
			t.line(strings.Repeat(" ", textColumn) + screen.End(why, room))
		default:
			t.line(line + between + screen.End(why, left))
		}
		for _, c := range h.Choices {
			t.line(strings.Repeat(" ", textColumn) +
				screen.Middle(fmt.Sprintf("%5.1f %%  %s", c.Share*100, c.Name), room))
		}
	}
}

// canonical are the beginnings of the names of Envoy's filters, which all of a hop have in common.
var canonical = strings.NewReplacer("envoy.filters.http.", "", "envoy.filters.network.", "",
	"envoy.filters.listener.", "")

// shortDecision is what a hop decides, on one line.
func shortDecision(h flow.Hop) string {
	text := strings.ReplaceAll(cmp.Or(h.Decision, "-"), "\n", " ")
	switch h.Kind {
	case flow.ListenerFilters, flow.NetworkFilters, flow.HTTPFilters:
		text = canonical.Replace(text)
	}
	return text
}

// shortWhy is why a hop decides so, in a few words: the object that Istio made it of, unless it was
// named before, and the first clause of the reason, of a route that of the route itself.
func shortWhy(h flow.Hop, named bool) string {
	if len(h.Open) > 0 {
		return openText(h)
	}
	why, _, _ := strings.Cut(ofRoute(h), "; ")
	if _, found, ok := strings.Cut(why, "]: "); ok && h.Kind == flow.Route {
		why = strings.TrimPrefix(found, "the first that matches, ")
	}
	if !named || h.Object == "" {
		return why
	}
	return h.Object + with(": ", why)
}

// ofRoute is why a hop decides so, of a route from the clause on that is about the route itself.
func ofRoute(h flow.Hop) string {
	if i := strings.Index(h.Why, "; route "); i >= 0 && h.Kind == flow.Route {
		return h.Why[i+len("; "):]
	}
	return h.Why
}
