package main

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/internal/golden"
	"github.com/flowproof/lab/internal/screen"
	"github.com/flowproof/lab/internal/terminaltest"
)

// TestTraceOnANarrowTerminal reports a recorded trace with its events and its filters on a terminal
// of 80 columns: no line is longer, and every name that the wide report says is there.
func TestTraceOnANarrowTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	kept, err := bundle.Read(t.Context(), inboundBundle)
	if err != nil {
		t.Fatal(err)
	}
	if kept.Run, kept.Verdict, err = bundle.Judge(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	for _, form := range eventForms {
		t.Run(form, func(t *testing.T) { narrowReport(t, kept, traceFlags{events: form, filters: true}) })
	}
}

func narrowReport(t *testing.T, kept bundle.Contents, flags traceFlags) {
	terminal := terminaltest.Open(t, "\x00", nil)
	out := screen.New(terminal.Program)
	a := &app{Streams: Streams{Out: out}}
	if err := a.reportTrace(kept, "", flags); err != nil {
		t.Error(err)
	}
	if err := out.Flush(); err != nil {
		t.Error(err)
	}
	narrow := terminal.Close(t)
	golden.Equal(t, "testdata/trace-"+flags.events+".golden", narrow)
	for line := range strings.Lines(narrow) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	var wide strings.Builder
	if err := (&app{Streams: Streams{Out: &wide}}).reportTrace(kept, "", flags); err != nil {
		t.Error(err)
	}
	squeezed := strings.Join(strings.Fields(narrow), "")
	for _, name := range regexp.MustCompile(`[A-Za-z0-9/]+(?:[|._:-]+[A-Za-z0-9]+)+`).FindAllString(wide.String(), -1) {
		if !strings.Contains(squeezed, name) {
			t.Errorf("%s is not said at 80 columns", name)
		}
	}
}
