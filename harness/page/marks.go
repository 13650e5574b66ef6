package page

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
)

// An instrumentMark is the mark of one instrument.
type instrumentMark struct {
	name  flow.Instrument
	about string
}

// ordered are instruments in the order of their marks, with what each is.
var ordered = []instrumentMark{
	{flow.Curl, "what the client itself was told"},
	{flow.EnvoyLog, "Envoy's debug log"},
	{flow.AccessLog, "Envoy's access log"},
	{flow.Stats, "Envoy's statistics"},
	{flow.Sockets, "the kernel's socket tables"},
	{flow.Netfilter, "counters of netfilter's rules, and conntrack"},
	{flow.Trace, "eBPF probes in the kernel and on Envoy"},
}

// instruments are all that there are, in the order of their marks.
var instruments = sync.OnceValue(func() []instrumentMark { return marked(observe.Instruments()) })

// marked are the ordered instruments and, after them, those of a list that have no place there, in
// the words that they bring for the glossary.
func marked(all []observe.Instrument) []instrumentMark {
	marked := slices.Clone(ordered)
	for _, i := range all {
		if slices.ContainsFunc(ordered, func(o instrumentMark) bool { return o.name == i.Name() }) {
			continue
		}
		about := ""
		if d, says := i.(observe.Described); says {
			about = d.Is("en")
		}
		marked = append(marked, instrumentMark{i.Name(), about})
	}
	return marked
}

// What an instrument had to do with a hop.
const (
	saw      = "saw"    // and agrees
	denies   = "denies" // saw something else
	silent   = "silent" // could have seen it, and did not
	unable   = "unable" // is not able to see it
	markSize = 4
)

// A mark says what one instrument had to do with one hop.
type mark struct {
	Instrument flow.Instrument
	State      string
}

// legendRow is one row of the legend of the marks.
type legendRow struct {
	Instrument, About string
	Present           bool
}

// Text says the mark in words.
func (m mark) Text() string {
	return fmt.Sprintf("%s %s", m.Instrument, map[string]string{
		saw: "saw it", denies: "saw something else", silent: "could have seen it and did not",
		unable: "cannot see it"}[m.State])
}

// svg draws the mark with its middle at x and y: form and colour both tell it.
func (m mark) svg(b *strings.Builder, x, y int) {
	fmt.Fprintf(b, `<g class="mark %s"><title>%s</title>`, m.State, m.Text())
	switch m.State {
	case saw, silent:
		fmt.Fprintf(b, `<circle cx="%d" cy="%d" r="%g"/>`, x, y, markSize-0.5)
	case denies:
		fmt.Fprintf(b, `<path d="M%d %dl%d %dm0 -%dl-%d %d"/>`, x-markSize, y-markSize, 2*markSize, 2*markSize,
			2*markSize, 2*markSize, 2*markSize)
	default:
		fmt.Fprintf(b, `<path d="M%d %dh%d"/>`, x-2, y, markSize)
	}
	b.WriteString("</g>")
}

// marks are what each instrument of the run had to do with a hop. A page without a run has none.
func (p *Page) marks(hop flow.Hop, verdict *flow.HopVerdict) []mark {
	if p.Run == nil || verdict == nil {
		return nil
	}
	var all []mark
	for _, i := range instruments() {
		all = append(all, mark{i.name, p.had(i.name, hop, verdict)})
	}
	return all
}

func (p *Page) had(i flow.Instrument, hop flow.Hop, verdict *flow.HopVerdict) string {
	state := ""
	for _, e := range verdict.Evidence {
		if e.Instrument != i {
			continue
		}
		if !e.Agrees {
			return denies
		}
		state = saw
	}
	if state == "" {
		state = unable
		if p.able(i, hop) {
			state = silent
		}
	}
	return state
}

// able says whether an instrument watched this side and can see one of the facts that the hop
// is expected to show.
func (p *Page) able(i flow.Instrument, hop flow.Hop) bool {
	for _, w := range p.Run.Watches {
		if w.Instrument != i || w.Side != "" && w.Side != hop.Side {
			continue
		}
		for _, f := range hop.Expect {
			if slices.ContainsFunc(w.Sees, func(c flow.Capability) bool {
				return c.Kind == hop.Kind && c.Fact == f.Name && (c.Value == "" || c.Value == f.Value)
			}) {
				return true
			}
		}
	}
	return false
}

// legend says which instruments there are and which of them watched.
func (p *Page) legend() []legendRow {
	var rows []legendRow
	for _, i := range instruments() {
		present := p.Run != nil && slices.ContainsFunc(p.Run.Watches, func(w flow.Watch) bool {
			return w.Instrument == i.name
		})
		rows = append(rows, legendRow{string(i.name), i.about, present})
	}
	return rows
}
