package main

import (
	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/report"
)

// page says whether the result is wanted as a page or as its drawing, which show excerpts of the dumps.
func (a *app) page() bool { return a.output == "html" || a.output == "svg" }

// pageSources are the dumps and the evidence of a bundle. A dump that cannot be read, which the verdict says, gives no excerpts.
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
