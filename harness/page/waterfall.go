package page

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
)

// A NamedStep is the call of a filter, with the name that the filter has in the configuration.
type NamedStep struct {
	trace.FilterStep
	Name string `json:"-"`
}

// Remark says what became of the request at the step.
func (s NamedStep) Remark() string {
	var all []string
	if s.Within && s.Upstream {
		all = append(all, "within the router's time")
	} else if s.Within {
		all = append(all, "within the time of the filter that answers")
	}
	if s.Held > 0 {
		all = append(all, fmt.Sprintf("stopped, went on after %d µs", s.Held.Microseconds()))
	}
	if s.Stopped {
		all = append(all, "no later filter was given the request: it answered, or waits")
	}
	return strings.Join(all, "; ")
}

// NameSteps gives the steps the names that the filters have on the way, by their order: the n-th
// that was given the headers is the n-th of the configuration. In the other direction Envoy goes
// from the last to the first, and leaves out those that only decode: names are given there only
// where all but the router were called. A step whose name is not certain has its number.
func NameSteps(path flow.Path, steps []trace.FilterStep) []NamedStep {
	encoders := map[string]int{}
	for _, s := range steps {
		encoders[string(s.Side)+s.Call] = max(encoders[string(s.Side)+s.Call], s.Place+1)
	}
	var all []NamedStep
	for _, s := range steps {
		all = append(all, NamedStep{s, nameOf(path, s, encoders[string(s.Side)+s.Call])})
	}
	return all
}

func nameOf(path flow.Path, s trace.FilterStep, calls int) string {
	number := fmt.Sprintf("filter %d", s.Place+1)
	if s.Upstream {
		return fmt.Sprintf("upstream filter %d", s.Place+1)
	}
	names := filtersOf(path, s.Side, s.Pod)
	switch {
	case s.Call == "decode headers" && s.Place < len(names):
		return names[s.Place]
	case s.Call == "encode headers" && calls == len(names)-1:
		return names[len(names)-2-s.Place]
	}
	return number
}

// filtersOf are the names of the HTTP filters of a sidecar on the way, in the order
// of the configuration.
func filtersOf(path flow.Path, side flow.Side, pod string) []string {
	for _, h := range path.Hops {
		if h.Kind == flow.HTTPFilters && h.Side == side && h.Proxy == pod {
			return strings.Split(h.Decision, ", ")
		}
	}
	return nil
}

// StepsNote says how the times came about and what they cost.
func StepsNote(statements int) string {
	return fmt.Sprintf("Times are those between Envoy's own log statements, which are traced at every log level; the "+
		"names are the "+
		"configuration's, in its order. The first filter of a direction has also what Envoy did before it. %d "+
		"statements were traced while the sidecars had the request, which took %d µs of its time at most: "+
		"a filter that took less than 3 µs may have taken none.", statements,
		trace.StatementCost(statements).Microseconds())
}

// waterfall is the section of the calls of HTTP filters; nil where none was seen.
func (p *Page) waterfall() *section {
	if p.Recording == nil || p.Recording.Trace == nil || p.Run == nil {
		return nil
	}
	steps, statements := p.Recording.Trace.FilterSteps(trace.Selection{RequestID: p.Run.Call.RequestID})
	if len(steps) == 0 {
		return nil
	}
	begin, end := steps[0].Begin, steps[0].End
	for _, s := range steps {
		if s.End.After(end) {
			end = s.End
		}
		if s.Begin.Before(begin) {
			begin = s.Begin
		}
	}
	whole := max(end.Sub(begin), time.Microsecond)
	var b strings.Builder
	b.WriteString(`<div class="scroll" tabindex="0" role="region" aria-label="calls of HTTP filters"><table ` +
		`class="waterfall"><thead><tr>` +
		`<th>side</th><th>filter</th><th>given</th><th class="num">from</th><th ` +
		`class="num">took</th><th>when</th><th></th></tr></thead><tbody>`)
	for _, s := range NameSteps(p.Path, steps) {
		fmt.Fprintf(&b, `<tr><td>%s</td><td>%s</td><td>%s</td><td class="num">%d µs</td><td class="num">%d `+
			`µs</td><td>%s</td><td>%s</td></tr>`,
			html.EscapeString(string(s.Side)), html.EscapeString(short(s.Name)), html.EscapeString(s.Call),
			s.Begin.Sub(begin).Microseconds(),
			s.Took().Microseconds(), bar(s, begin, whole), html.EscapeString(s.Remark()))
	}
	b.WriteString("</tbody></table></div>")
	return &section{ID: "filters", Short: "HTTP filters", Title: "HTTP filters, one after the other",
		Text: StepsNote(statements), Body: template.HTML(b.String())}
}

// bar draws when a step ran, and how long the request was held after it.
func bar(s NamedStep, begin time.Time, whole time.Duration) string {
	const width = 200
	scale := func(d time.Duration) float64 { return float64(width) * float64(d) / float64(whole) }
	x, w := scale(s.Begin.Sub(begin)), max(scale(s.Took()), 1)
	text := fmt.Sprintf(`<svg class="bar" viewBox="0 0 %d 10" width="%d" height="10" aria-hidden="true">`, width, width)
	if s.Held > 0 {
		text += fmt.Sprintf(`<rect class="held" x="%.1f" y="3" width="%.1f" height="4"/>`, x+w, scale(s.Held))
	}
	return text + fmt.Sprintf(`<rect class="%s" x="%.1f" y="1" width="%.1f" height="8"/></svg>`, s.Side, x, w)
}
