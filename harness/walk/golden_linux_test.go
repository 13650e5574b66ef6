package walk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/walk"
	"github.com/flowproof/lab/internal/golden"
	"github.com/flowproof/lab/internal/terminaltest"
	"github.com/flowproof/lab/scenarios"
)

const recorded = "../bundle/testdata/inbound"

func tail(text string) string { return text[max(0, len(text)-200):] }

// walkOnTerminal walks a recorded run on a pseudo-terminal of 80 columns with a learner's answers,
// and returns its screen.
func walkOnTerminal(t *testing.T, language string, progress *lesson.Progress, answers ...string) (string, error) {
	t.Helper()
	l, err := scenarios.Lesson("inbound")
	if err != nil {
		t.Fatal(err)
	}
	words, _ := lesson.Speak(language)
	terminal := terminaltest.Open(t, " > ", terminaltest.Answers("q", answers...))
	_, walked := walk.New(l, progress, func(*lesson.Progress) error {
		return nil
	}, walk.Options{In: terminal.Program, Out: terminal.Program, Width: 80,
		Language: words, Namespace: "mark", Again: "lab walk run", Installed: func(string) bool { return false },
		Explain: func(term string) (string, error) { return term + " is a term.", nil }}).
		Replay(t.Context(), recording(t), script.Options{})
	return withoutTable(terminal.Close(t)), walked
}

// withoutTable leaves out the verdict's table, which is package report's and has its goldens there.
func withoutTable(screen string) string {
	before, rest, ok := strings.Cut(screen, "✓ verify\n")
	if !ok {
		return screen
	}
	_, after, _ := strings.Cut(rest, "\n\n")
	for strings.HasPrefix(after, "      ") {
		_, after, _ = strings.Cut(after, "\n\n")
	}
	return before + "✓ verify\n      […]\n\n" + after
}

// recording is the committed run as it was written down, not judged again: the
// session is about the walk.
func recording(t *testing.T) script.Recorded {
	t.Helper()
	contents, err := bundle.Read(context.Background(), recorded)
	if err != nil {
		t.Fatal(err)
	}
	return script.Recorded{Run: contents.Run, Verdict: contents.Verdict, Dumps: contents.Dumps,
		Recording: contents.Recording}
}

func fresh() *lesson.Progress {
	return &lesson.Progress{Schema: lesson.ProgressSchema, Lesson: "inbound", Answers: map[string]lesson.Answer{}}
}

// answers are a whole walk: right, wrong and skipped answers, hints, ways back, a term, and
// keys that mean nothing.
var answers = []string{
	"", "x", "", "b", "", // two steps, and one step back
	"15001", "1", "1", "h", "h", "h", "s", "2", "10.0.0.1:80", "? SNI", "b", "2",
	"outbound_.8080_._.fortio-server.mark.svc.cluster.local",
	"15006", "9", "virtualInbound", "3", "4", "2",
	"spiffe://cluster.local/ns/mark/sa/default", "HTTP1", "4", "1", "s", "172.21.206.196:8080", "1", "127.0.0.6",
	"b", "!", "", "", "", "", "", "", "", "", "", "", "",
}

// TestGoldenSession compares whole walks on a terminal with their golden screens.
func TestGoldenSession(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	for _, language := range lesson.Languages {
		t.Run(language, func(t *testing.T) {
			progress := fresh()
			got, err := walkOnTerminal(t, language, progress, answers...)
			if err != nil || !progress.Done {
				t.Fatalf("%v, done %v\n%s", err, progress.Done, tail(got))
			}
			file := filepath.Join("testdata", "inbound."+language+".golden")
			if golden.Updating() {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the session is another one (look at it, and write it with -update):\n%s",
					firstDifference(string(want), got))
			}
			if strings.ContainsRune(got, '\x1b') {
				t.Error("a control sequence was written, and lines are all that a screen reader has")
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// TestResume leaves a walk in the middle of its questions and goes on: what was
// answered is not asked again.
func TestResume(t *testing.T) {
	progress := fresh()
	first, err := walkOnTerminal(t, "en", progress, "", "", "", "15001", "1", "q")
	if !errors.Is(err, walk.ErrQuit) || !strings.Contains(first, "`lab walk run` goes on from there") {
		t.Fatalf("%v\n%s", err, tail(first))
	}
	text, err := json.Marshal(progress) // as it is kept
	if err != nil {
		t.Fatal(err)
	}
	kept := fresh()
	if err := json.Unmarshal(text, kept); err != nil {
		t.Fatal(err)
	}
	second, err := walkOnTerminal(t, "en", kept, "", "q")
	switch {
	case !errors.Is(err, walk.ErrQuit):
		t.Fatal(err)
	case strings.Contains(second, "Step 2 of"):
		t.Error("a step that was done is shown again")
	case strings.Contains(second, "Question 1 of"), strings.Contains(second, "Question 2 of"):
		t.Error("a question that was answered is asked again")
	case !strings.Contains(second, "Going on at step 3") || !strings.Contains(second, "Question 3 of"):
		t.Errorf("it does not go on:\n%s", second)
	}
}

// TestNothingShownBeforeItIsAsked holds that no answer stands on the screen before its question.
func TestNothingShownBeforeItIsAsked(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	got, err := walkOnTerminal(t, "en", fresh(), answers...)
	if err != nil {
		t.Fatal(err)
	}
	last := strings.LastIndex(got, "Question 21 of 21")
	shown := strings.Index(got, "✓ infer")
	if last < 0 || shown < last {
		t.Errorf("what infer found stands at %d, before the last question at %d", shown, last)
	}
}
