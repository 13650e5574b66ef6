package report

import (
	"cmp"
	"fmt"
	"io"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/page"
	"github.com/flowproof/lab/harness/verify"
)

// Sources are where the page takes excerpts and timelines from. What is missing in them is
// missing on the page.
type Sources struct {
	Dumps     map[string]*configdump.Dump // by "pod.namespace"
	Recording *observe.Recording
}

// RunPage is the page of a run and its verdict.
func RunPage(run flow.Run, verdict flow.RunVerdict, opts Options) *page.Page {
	path := verdict.TakenPath(run.Path)
	return &page.Page{Title: clean(callName(run.Call)), Path: path, Ending: pathEnding(path), Run: &run,
		Verdict: &verdict,
		Answer:  clean(verify.AnswerText(verify.Answered(run))), Summary: verify.Summary(verdict),
		Dumps: opts.Sources.Dumps, Recording: opts.Sources.Recording}
}

// WayPage is the page of a whole way that was inferred.
func WayPage(path flow.Path, opts WayOptions) *page.Page {
	p := &page.Page{Title: clean(callName(path.Call)), Path: path, Ending: pathEnding(path), Dumps: opts.Dumps}
	for _, possible := range path.Possible {
		p.Possible = append(p.Possible, possibleText(possible))
	}
	return p
}

// decisionPage is the page of the way of one request through one proxy.
func decisionPage(d *flow.Decision, opts WayOptions) *page.Page {
	if d.Error != "" {
		return &page.Page{Title: clean("request " + d.ID), Ending: d.Error}
	}
	p := &page.Page{Title: clean(fmt.Sprintf("%s through %s", cmp.Or(d.ID, "one request"),
		cmp.Or(d.Proxy, "one proxy"))), Ending: decisionEnding(d),
		Path: flow.Path{Outcome: d.Outcome, Failure: d.Failure, Flag: d.Flag, Certainty: d.Certainty,
			Depends: d.Depends, Hops: d.Hops}, Dumps: opts.Dumps}
	for _, possible := range d.Possible {
		p.Possible = append(p.Possible, possibleText(possible))
	}
	return p
}

func pathEnding(p flow.Path) string { return endingText(p.Outcome, p.Failure, p.Flag, 0, "") }

// runHTML and the others write a page, or its drawing alone.
func runHTML(w io.Writer, run flow.Run, verdict flow.RunVerdict, opts Options) error {
	return RunPage(run, verdict, opts).Write(w)
}

func runSVG(w io.Writer, run flow.Run, verdict flow.RunVerdict, opts Options) error {
	return RunPage(run, verdict, opts).WritePicture(w)
}

func wayHTML(w io.Writer, path flow.Path, opts WayOptions) error { return WayPage(path, opts).Write(w) }

func waySVG(w io.Writer, path flow.Path, opts WayOptions) error {
	return WayPage(path, opts).WritePicture(w)
}

func decisionHTML(w io.Writer, d *flow.Decision, opts WayOptions) error {
	return decisionPage(d, opts).Write(w)
}

func decisionSVG(w io.Writer, d *flow.Decision, opts WayOptions) error {
	return decisionPage(d, opts).WritePicture(w)
}
