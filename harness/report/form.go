package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// A form is one that a report can have.
type form struct {
	write   func(io.Writer, flow.Run, flow.RunVerdict, Options) error
	sources bool // shows what the Options' Sources hold; a verb that sends a request writes it too
}

// forms are the forms that a report can have. A new one is a row.
var forms = map[string]form{
	"text":     {Text, false},
	"html":     {runHTML, true},
	"svg":      {runSVG, true},
	"otlp":     {runOTLP, true},
	"perfetto": {runPerfetto, true},
	"json":     {noOptions(JSON), false},
	"junit":    {noOptions(JUnit), false},
	"mermaid":  {noOptions(Mermaid), false},
}

// noOptions makes a form of a writer that has no options.
func noOptions(write func(io.Writer, flow.Run, flow.RunVerdict) error) func(io.Writer, flow.Run, flow.RunVerdict,
	Options) error {
	return func(w io.Writer, run flow.Run, verdict flow.RunVerdict, _ Options) error {
		return write(w, run, verdict)
	}
}

// Forms returns the names of the forms that Write knows.
func Forms() []string { return slices.Sorted(maps.Keys(forms)) }

// SentForms returns the names of the forms that a verb which sends a request has: text and JSON,
// and those that show Sources.
func SentForms() []string {
	return slices.DeleteFunc(Forms(), func(name string) bool {
		return !forms[name].sources && name != "text" && name != "json"
	})
}

// ShowsSources says whether a form shows what Options.Sources hold.
func ShowsSources(name string) bool { return forms[name].sources }

// CheckForm reports an error when Write does not know the form.
func CheckForm(name string) error {
	if forms[name].write == nil {
		return unknownForm(name, Forms())
	}
	return nil
}

// unknownForm is the error for a form that is not among those of a result.
func unknownForm(name string, known []string) error {
	return fmt.Errorf("choose output %q: there are %s", name, strings.Join(known, ", "))
}

// Write writes a report in one of the Forms.
func Write(w io.Writer, name string, run flow.Run, verdict flow.RunVerdict, opts Options) error {
	if err := CheckForm(name); err != nil {
		return err
	}
	return forms[name].write(w, run, verdict, opts)
}
