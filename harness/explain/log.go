package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/flow"
)

// A Part is the log of one proxy with its dump.
type Part struct {
	Name  string // file, or part of an archive
	Proxy string // "pod.namespace", where it is known
	Lines []logformat.Line
	Dump  *configdump.Dump // nil: there is none

	Problem string // why there is no dump, where one was there
}

// Select returns the explanations of the lines of one request id in the parts: the client's
// sidecar's first.
func Select(parts []Part, id string, opts Options) []flow.Explanation {
	var all []flow.Explanation
	for _, p := range parts {
		for _, l := range p.Lines {
			if same(l.Value(logformat.RequestID), id) {
				all = append(all, p.Request(l, opts))
			}
		}
	}
	slices.SortStableFunc(
		all,
		func(a, b flow.Explanation) int { return cmp.Compare(side(a.Direction), side(b.Direction)) },
	)
	return all
}

func side(d flow.Direction) int {
	if d == flow.Inbound {
		return 1
	}
	return 0
}

// shortest is how much of an id has to be given.
const shortest = 8

// same says whether an id, or the beginning of one, is a request's. Envoy may set one character of
// it by how the request is traced.
func same(of, given string) bool {
	return of != "" && (flow.SameRequestID(of, given) || len(given) >= shortest && strings.HasPrefix(of, given))
}

// Request explains one line of the part. What opts say of the proxy counts where the part does not
// tell.
func (p Part) Request(line logformat.Line, opts Options) flow.Explanation {
	opts.Source, opts.Proxy, opts.Dump = p.Name, cmp.Or(p.Proxy, opts.Proxy), cmp.Or(p.Dump, opts.Dump)
	e := Request(line, opts)
	if p.Problem != "" {
		e.Open = append(e.Open, p.Problem)
	}
	return e
}

// All explains what failed in the parts, alike requests together.
func All(parts []Part, opts Options) flow.LogExplanation {
	l := flow.LogExplanation{Schema: flow.LogExplanationSchema, Groups: []flow.LogGroup{}}
	at := map[string]int{}
	for _, p := range parts {
		for _, line := range p.Lines {
			l.Lines++
			if !line.IsFailed() {
				continue
			}
			l.Failed++
			key := alike(p, line)
			if i, ok := at[key]; ok {
				l.Groups[i].Count++
				continue
			}
			at[key] = len(l.Groups)
			l.Groups = append(l.Groups, p.group(line, opts))
		}
	}
	slices.SortStableFunc(l.Groups, func(a, b flow.LogGroup) int { return cmp.Compare(b.Count, a.Count) })
	switch {
	case l.Lines == 0:
		l.Result = "no line of an access log"
	case l.Failed == 0:
		l.Result = fmt.Sprintf("none of %d requests failed", l.Lines)
	default:
		l.Result = fmt.Sprintf("%d of %d requests failed, in %d ways", l.Failed, l.Lines, len(l.Groups))
	}
	return l
}

// alike is a key that requests of a part share where they failed in the same way.
func alike(p Part, line logformat.Line) string {
	return strings.Join([]string{
		p.Name,
		line.Value(logformat.Code),
		strings.Join(line.FlagList(), ","),
		line.Value(logformat.Details),
		line.Value(logformat.Termination),
		line.Value(logformat.Cluster),
		line.Value(logformat.Authority),
	}, "\x00")
}

// group begins a group of alike requests with the first of them.
func (p Part) group(line logformat.Line, opts Options) flow.LogGroup {
	e := p.Request(line, opts)
	id := cmp.Or(line.Value(logformat.RequestID), "without a request id")
	to := cmp.Or(line.Value(logformat.Cluster), "no cluster")
	return flow.LogGroup{
		Count:   1,
		Result:  e.Result,
		Causes:  e.Causes,
		Example: fmt.Sprintf("%d of %s, %s", line.Number, p.Name, id),
		What:    strings.TrimSpace(fmt.Sprintf("%s %s to %s", e.Direction, e.Request.Authority, to)),
	}
}
