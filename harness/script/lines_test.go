package script

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
)

// TestLines shows results on a narrow screen: every word is there, and no line is
// longer than the screen.
func TestLines(t *testing.T) {
	for _, tc := range []struct {
		name    string
		step    StepResult
		columns int
		want    []string
	}{
		{"no screen", StepResult{Output: "a b\n", Folded: "a\nb\n"}, 0, []string{"      a b"}},
		{"what fits", StepResult{Output: "a\n  b  c\n"}, 40, []string{"      a", "        b  c"}},
		{"a table of its own width", StepResult{Output: "a b\n", Folded: "a\nb\n"}, 40, []string{"      a", "      b"}},
		{"a long line", StepResult{Output: "  ✓ aaaa bbbb cccc dddd\n"}, 24,
			[]string{"        ✓ aaaa bbbb", "          cccc dddd"}},
		{"a long name", StepResult{Output: "outbound|8080||fortio-server.mark.svc.cluster.local"}, 36,
			[]string{"      outbound|8080||fortio-", "        server.mark.svc.cluster.", "        local"}},
		{"a table", StepResult{Output: "route    outbound|8080|fortio"}, 30,
			[]string{"      route    outbound|8080|", "               fortio"}},
	} {
		if got := Lines(tc.step, tc.columns); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestLiveFits holds that a terminal's lines are never broken by the terminal, which breaks words.
func TestLiveFits(t *testing.T) {
	var out bytes.Buffer
	live := NewLive(&out)
	live.Width = 80
	long := strings.Repeat("envoy.filters.http.router, ", 12)
	live.Comment(
		[]string{
			"One sentence that is much longer than the terminal is wide, so that it has to be folded",
			"and another one.",
			"",
			"- a list",
		},
	)
	live.Done(StepResult{Command: "verify", Output: "  " + long + "\n", Error: long})
	for line := range strings.Lines(out.String()) {
		if n := runewidth.StringWidth(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if n := strings.Count(out.String(), "router"); n != 24 {
		t.Errorf("%d of 24 names are there:\n%s", n, out.String())
	}
}
