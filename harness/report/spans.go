package report

import (
	"io"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/spans"
)

func spansOf(run flow.Run, verdict flow.RunVerdict, opts Options) spans.Trace {
	run.Path = verdict.TakenPath(run.Path)
	return spans.Of(run, verdict, opts.Sources.Recording)
}

func runOTLP(w io.Writer, run flow.Run, verdict flow.RunVerdict, opts Options) error {
	return spansOf(run, verdict, opts).OTLP(w)
}

func runPerfetto(w io.Writer, run flow.Run, verdict flow.RunVerdict, opts Options) error {
	return spansOf(run, verdict, opts).Perfetto(w)
}
