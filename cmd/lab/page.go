package main

import (
	"fmt"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/verify"
)

// page says whether the result is wanted in a form that shows what its dumps and its evidence hold.
func (a *app) page() bool { return report.ShowsSources(a.output) }

// pageSources are the dumps and the evidence of a bundle. A dump that cannot be read, which the
// verdict says, gives no excerpts.
func pageSources(c bundle.Contents) report.Sources {
	sources := report.Sources{Dumps: map[string]*configdump.Dump{}}
	for pod, text := range c.Dumps {
		if dump, err := configdump.Parse(text); err == nil {
			sources.Dumps[pod] = dump
		}
	}
	if c.Recording != nil {
		recording := *c.Recording
		recording.Redact()
		sources.Recording = &recording
	}
	return sources
}

// runPage writes the page of a scenario's request, or its drawing. A scenario that
// sends none has none.
func (a *app) runPage(result *script.Result) error {
	if result.Run == nil {
		return fault.Incompletef("write a page: the scenario came to no request")
	}
	contents := bundle.Contents{Run: *result.Run, Dumps: result.Dumps, Recording: &result.Recording}
	if result.Verdict != nil {
		contents.Verdict = *result.Verdict
	} else {
		contents.Verdict = verify.Judge(contents.Run)
	}
	return a.writePage(contents)
}

// writePage writes a run in the form that was asked for, one that page is true of.
func (a *app) writePage(c bundle.Contents) error {
	opts := report.Options{Sources: pageSources(c)}
	if err := report.Write(a.Out, a.output, shown(a, c.Run), shown(a, c.Verdict), opts); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// dumpsOfWay are the dumps by the names that the hops of the way have.
func dumpsOfWay(path flow.Path, client, server *configdump.Dump) map[string]*configdump.Dump {
	dumps := map[string]*configdump.Dump{}
	for _, h := range path.Hops {
		for side, dump := range map[flow.Side]*configdump.Dump{flow.Client: client, flow.Server: server} {
			if h.Side == side && dump != nil && h.Proxy != "" {
				dumps[h.Proxy] = dump
			}
		}
	}
	return dumps
}
