package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowproof/lab/internal/golden"
	"github.com/flowproof/lab/internal/terminaltest"
)

// build builds the command as `make lab` does, and returns its path.
func build(t *testing.T) string {
	t.Helper()
	lab := filepath.Join(t.TempDir(), "lab")
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", lab, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, out)
	}
	return lab
}

// TestWalkOnTerminal walks a recorded run of the lesson inbound through the built command, on a
// terminal of 80 columns, with right, wrong and skipped answers, and leaves it once on the way. The
// whole session is a golden file, and the README shows parts of it.
func TestWalkOnTerminal(t *testing.T) {
	lab, state, run := build(t), t.TempDir(), current(t, nil)
	if err := os.Rename(run, filepath.Join(filepath.Dir(run), "run")); err != nil {
		t.Fatal(err)
	}
	walk := func(answer func(string) string) string {
		cmd := exec.Command(lab, "walk", "./run")
		cmd.Dir = filepath.Dir(run)
		cmd.Env = append(
			os.Environ(),
			"XDG_STATE_HOME="+state,
			"TERM=xterm",
			"NO_COLOR=1",
			"LC_ALL=en_US.UTF-8",
			"PATH="+filepath.Dir(lab),
		)
		screen, err := terminaltest.Open(t, " > ", answer).Run(t, cmd)
		if err != nil {
			t.Fatalf("lab walk ./run: %v\n%s", err, screen)
		}
		return "$ lab walk ./run\n" + screen
	}
	session := walk(terminaltest.Answers("q", "", "", "", "15001")) + walk(terminaltest.Learner(map[int][]string{
		2: {"1"}, 3: {"1"}, 4: {"h", "h", "4"}, 5: {"2"}, 6: {"10.0.0.1:80"}, 7: {"2"},
		8: {
			"outbound_.8080_._.fortio-server.mark.svc.cluster.local",
		}, 9: {"15006"}, 10: {"9", "virtualInbound"}, 11: {"3"},
		12: {"4"}, 13: {"2"}, 14: {"spiffe://cluster.local/ns/mark/sa/default"}, 15: {"HTTP1"}, 16: {"4"}, 17: {"1"},
		19: {"172.21.206.196:8080"}, 21: {"127.0.0.6"},
	}))
	golden.Equal(t, "testdata/walk-inbound.golden", session)
	for _, want := range []string{"`lab walk ./run` goes on from there", "Going on at step 3 of 15",
		"15 of 21 right, 2 skipped, 0 not asked.", "✓ Done: inbound"} {
		if !strings.Contains(session, want) {
			t.Errorf("the session does not say %q", want)
		}
	}
	for line := range strings.Lines(session) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > 80 && !strings.Contains(line, " > ") &&
			!strings.HasPrefix(line, "    ") {
			t.Errorf(
				"a line has %d columns: %s",
				n,
				line,
			) // but for what was typed, and for commands and pointers, which are copied
		}
	}
	readmeShows(t, session)
}

// excerpts are the parts of the session that the README shows: each from a line that has the first
// text in it, up to one that has the second.
var excerpts = [][2]string{
	{"$ lab walk ./run", "[Enter]"},
	{"  Question 12 of", "  Question 13 of"},
	{"Hop by hop, what was seen", " listener-filters "},
	{"      verified:", "  1. "},
	{"  12. server/filter-chain", "  13. "},
	{"15 of 21 right", ""},
}

// readmeShows holds that the README's transcript is of this session, or writes it with -update.
func readmeShows(t *testing.T, session string) {
	t.Helper()
	const page, part = "../../README.md", "transcript"
	lines := strings.Split(strings.TrimRight(session, "\n"), "\n")
	text, at := "```\n", 0
	for _, part := range excerpts {
		from := index(lines, at, part[0])
		to := index(lines, from+1, part[1])
		if from < 0 || to < 0 {
			t.Fatalf("the session has no part from %q to %q", part[0], part[1])
		}
		if at > 0 && from > at {
			text += "[…]\n"
		}
		text, at = text+strings.TrimRight(strings.Join(lines[from:to], "\n"), "\n")+"\n", to
	}
	text += "```\n"
	golden.Part(t, page, part, text)
	if n := strings.Count(text, "\n"); n >= 60 {
		t.Errorf("the transcript has %d lines, and 60 are too many", n)
	}
	before, _, after := golden.Between(t, page, part)
	if n := strings.Count(before+text+after, "\n"); n > 200 {
		t.Errorf("the README has %d lines, more than 200", n)
	}
}

// index is the first line from at on that has a text in it; with none it is the end.
func index(lines []string, at int, text string) int {
	if text == "" {
		return len(lines)
	}
	for i := max(at, 0); i < len(lines); i++ {
		if strings.Contains(lines[i], text) {
			return i
		}
	}
	return -1
}

// TestRunOnANarrowTerminal runs a scenario on a terminal of 80 columns: no line is longer, no
// word of a sentence is broken, and every name that decides is there whole, or broken behind
// one of its own marks.
func TestRunOnANarrowTerminal(t *testing.T) {
	lab := build(t)
	cmd := exec.Command(lab, "run", "infer_offline")
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1", "LC_ALL=en_US.UTF-8")
	narrow, err := terminaltest.Open(t, "\x00", nil).Run(t, cmd)
	if err != nil {
		t.Fatalf("%v\n%s", err, narrow)
	}
	wide, err := exec.Command(lab, "run", "infer_offline").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(lastStates(narrow)) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 && !strings.HasPrefix(line, "  ✓ ") {
			t.Errorf("%d columns: %s", n, line) // but for the command itself, which is copied
		}
	}
	squeezed := strings.Join(strings.Fields(narrow), "")
	for _, name := range regexp.MustCompile(`[a-z0-9]+(?:[|._:-]+[a-z0-9]+){2,}`).FindAllString(string(wide), -1) {
		if !strings.Contains(squeezed, name) {
			t.Errorf("%s is not said at 80 columns", name)
		}
	}
}

// lastStates are the lines of a screen as they stand at the end, where a line was written anew.
func lastStates(screen string) string {
	var out strings.Builder
	for line := range strings.Lines(screen) {
		if i := strings.LastIndexByte(line, '\r'); i >= 0 {
			line = strings.TrimPrefix(line[i+1:], "\x1b[K")
		}
		out.WriteString(line)
	}
	return out.String()
}
