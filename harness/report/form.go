package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// forms are the forms that a report can have.
var forms = map[string]func(io.Writer, flow.Run, flow.RunVerdict, Options) error{
	"text":     Text,
	"html":     runHTML,
	"svg":      runSVG,
	"otlp":     runOTLP,
	"perfetto": runPerfetto,
	"json": func(w io.Writer, run flow.Run, verdict flow.RunVerdict, _ Options) error {
		return JSON(w, run, verdict)
	},
	"junit": func(w io.Writer, run flow.Run, verdict flow.RunVerdict, _ Options) error {
		return JUnit(w, run, verdict)
	},
	"mermaid": func(w io.Writer, run flow.Run, verdict flow.RunVerdict, _ Options) error {
		return Mermaid(w, run, verdict)
	},
}

// Forms returns the names of the forms that Write knows.
func Forms() []string { return slices.Sorted(maps.Keys(forms)) }

// CheckForm reports an error when Write does not know the form.
func CheckForm(form string) error {
	if forms[form] == nil {
		return unknownForm(form, Forms())
	}
	return nil
}

// unknownForm is the error for a form that is not among those of a result.
func unknownForm(form string, known []string) error {
	return fmt.Errorf("choose output %q: there are %s", form, strings.Join(known, ", "))
}

// Write writes a report in one of the Forms.
func Write(w io.Writer, form string, run flow.Run, verdict flow.RunVerdict, opts Options) error {
	if err := CheckForm(form); err != nil {
		return err
	}
	return forms[form](w, run, verdict, opts)
}
