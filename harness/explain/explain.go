// Package explain says of a request that already happened where it ended and why. The request is
// read from a line of Envoy's access log, its way is inferred from a config dump, and both are held
// against each other: what the line says happened, what the dump says must happen is beside it, and
// where they differ that is said. What neither decides is said to be open.
//
// It also looks for the causes of a response flag or a details string in a dump.
package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
	"github.com/flowproof/lab/harness/infer"
)

// Options say what is known beside the line.
type Options struct {
	Dump      *configdump.Dump // of the proxy that wrote the line; nil: nothing is inferred
	Direction flow.Direction   // of the proxy; "": as the line and the dump say
	Source    string           // where the line is from, for people
	Proxy     string           // whose log it is; "": the dump's
	Language  string           // of the causes
}

// Request explains one line.
func Request(line logformat.Line, opts Options) flow.Explanation {
	e := explanation{Explanation: flow.Explanation{
		Schema:    flow.ExplanationSchema,
		Proxy:     opts.Proxy,
		Flags:     line.FlagList(),
		Failed:    line.IsFailed(),
		Details:   line.Value(logformat.Details),
		Transport: line.Value(logformat.UpstreamWhy),
		Duration:  line.Value(logformat.Duration),
		Line: flow.LogLine{
			Source: opts.Source,
			Number: line.Number,
			Format: line.Format,
			Text:   line.Text,
			Unsure: line.Unsure(),
		},
	}}
	if e.Details == "" || e.Details == "via_upstream" {
		e.Details = cmp.Or(line.Value(logformat.Termination), e.Details)
	}
	fmt.Sscan(line.Value(logformat.Code), &e.Status)
	r := reader{line: line, dump: opts.Dump}
	e.Direction = r.direction(opts.Direction)
	e.Request = r.request(e.Direction)
	e.Ended = ending(line, e.Details, e.Flags)
	if opts.Dump != nil {
		e.Proxy = cmp.Or(e.Proxy, opts.Dump.Node().Proxy())
		e.infer(line, opts.Dump, &r)
	}
	for _, name := range line.Unsure() {
		r.assume("%s: the line can be read in more than one way, "+
			"because a value may have the signs that stand between values", name)
	}
	e.Assumed = r.assumed
	e.Causes = causes(e.Explanation, line, opts)
	e.Next = e.next(line)
	e.Result = e.sentence(line)
	return e.Explanation
}

// infer infers the request's way and holds it against the line.
func (e *explanation) infer(line logformat.Line, dump *configdump.Dump, r *reader) {
	if e.Request.Address == "" {
		e.Open = append(e.Open, "the line does not say the address that was dialled, so that no way can be inferred")
		return
	}
	decision, err := infer.New(dump).
		DecideWith(e.Request, infer.Options{Partial: true, Peer: line.Value(logformat.DownPeer)})
	if err != nil {
		e.Open = append(e.Open, fmt.Sprintf("no way can be inferred: %v", err))
		return
	}
	for _, d := range decision.Depends {
		e.Open = append(e.Open, fmt.Sprintf("%s depends on %s: %s", d.What, d.On, d.Why))
	}
	e.compare(line, decision)
	e.place(decision)
}

// place says where on the inferred way the request ended.
func (e *explanation) place(d flow.Decision) {
	end := e.Ended.Hop.Order()
	if e.Ended.Hop == flow.HTTPFilters { // a filter may have asked for the route before it answered
		end = flow.Route.Order() - 1
	}
	for _, h := range d.Hops {
		hop := flow.ExplainedHop{
			Kind:      h.Kind,
			Decision:  h.Decision,
			Certainty: h.Certainty,
			Source:    h.Source,
			Field:     h.Field,
			Object:    h.Object,
			Why:       h.Why,
			State:     flow.Passed,
		}
		switch order := h.Kind.Order(); {
		case e.Ended.Hop == "":
			hop.State = flow.Unknown
		case h.Kind == e.Ended.Hop && !e.Ended.Beyond:
			hop.State = flow.Ended
			if e.Ended.At == "" && !e.differs(h.Kind) {
				e.Ended.At, e.Ended.Source = h.Decision, h.Source
			}
		case order > end:
			hop.State = flow.NotReached
		}
		hop.Logged, hop.Agrees = e.logged(h.Kind)
		e.Hops = append(e.Hops, hop)
	}
	// Where the inferred way ends at the hop at which the line says that it ended, its reason is
	// the request's.
	if n := len(d.Hops); n > 0 && d.Outcome != flow.Forwarded && len(e.Differ) == 0 &&
		d.Hops[n-1].Kind == e.Ended.Hop {
		e.Ended.Why, e.Ended.Source = cmp.Or(d.Hops[n-1].Why, e.Ended.Why), d.Hops[n-1].Source
	}
}

func (e *explanation) differs(kind flow.HopKind) bool {
	return slices.ContainsFunc(e.Differ, func(d flow.Difference) bool { return d.Hop == kind })
}

// sentence is the result in one line.
func (e *explanation) sentence(line logformat.Line) string {
	who := cmp.Or(e.Proxy, "the proxy")
	what := "the connection was served"
	switch {
	case e.Status > 0:
		what = fmt.Sprint(e.Status)
	case e.Failed && line.HTTP():
		what = "no answer"
	case e.Failed:
		what = "the connection was closed"
	}
	var words []string
	for _, f := range e.Flags {
		words = append(words, fmt.Sprintf("%s (%s)", cmp.Or(flow.FlagMeaning(f), "a flag that is not known"), f))
	}
	if len(words) == 0 && e.Failed && e.Details != "" {
		words = append(words, e.Details)
	}
	text := strings.Join(append([]string{what}, words...), ", ")
	switch {
	case e.Ended.Client:
		return text + ": the client of " + who + " ended it"
	case e.Ended.Hop == "" && !e.Failed:
		return text + ": nothing in the line says of a failure"
	case e.Ended.Hop == "":
		return text + ": the line does not say where it ended"
	case e.Ended.Beyond:
		to := cmp.Or(line.Value(logformat.Host), line.Value(logformat.Cluster), "upstream")
		if !e.Failed {
			return fmt.Sprintf("%s: %s sent it to %s, which answered", text, who, to)
		}
		return fmt.Sprintf("%s: %s had sent it to %s%s", text, who, to, because(e.Ended.Why))
	}
	object := ""
	for _, h := range e.Hops {
		if h.State == flow.Ended && h.Object != "" {
			object = " of " + h.Object
		}
	}
	text = fmt.Sprintf("%s: ended by %s at %s%s%s%s", text, who, e.Ended.Hop, object, of(e.Ended.At),
		because(e.Ended.Why))
	if len(e.Differ) > 0 {
		text += "; the dump says otherwise"
	}
	return text
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

func of(at string) string {
	if at == "" {
		return ""
	}
	return " (" + at + ")"
}

// next says where to look further.
func (e *explanation) next(line logformat.Line) []string {
	var all []string
	id := line.Value(logformat.RequestID)
	switch {
	case id == "":
	case e.Ended.Beyond && e.Direction == flow.Outbound:
		host := cmp.Or(line.Value(logformat.Host), "the other end")
		all = append(all, fmt.Sprintf("the line of %s in the log of the pod at %s", id, host))
	case e.Direction == flow.Inbound:
		from := cmp.Or(line.Value(logformat.DownDirect), line.Value(logformat.DownRemote), "the other end")
		all = append(all, fmt.Sprintf("the line of %s in the log of the client's sidecar at %s", id, from))
	}
	for _, f := range e.Flags {
		all = append(all, "lab explain "+f)
	}
	if base := glossary.Base(e.Details); base != "" && len(glossary.Find(base, "")) > 0 && e.Failed {
		all = append(all, "lab explain "+base)
	}
	return all
}

// An explanation is a flow.Explanation while it is made.
type explanation struct {
	flow.Explanation
	seen []seen // what the line says of the hops
}
