package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/scenarios"
)

// TestReasonsHaveWords holds that every reason which a lesson shows has words in each language that
// the lesson has: in a recorded run of it, and where it has none, in what is inferred without one.
func TestReasonsHaveWords(t *testing.T) {
	course, err := courseOf(scenarios.Names())
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]*script.Recorded{}
	for _, name := range []string{"inbound", "outbound"} {
		if _, runs[name], err = recordedOf(t.Context(), "../../harness/bundle/testdata/"+name); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for _, l := range course.lessons {
		answers := script.Questions(t.Context(), l.Scenario)
		if run := runs[l.Name]; run != nil {
			answers = append(answers, script.Replay(t.Context(), l.Scenario, *run, script.Options{}).Answers...)
		}
		for _, code := range lesson.Languages {
			language, _ := lesson.Speak(code)
			for _, a := range answers {
				if l.Sentences[code] == nil {
					continue
				}
				reasons := []string{a.Question.Why}
				for _, c := range a.Question.Choices {
					reasons = append(reasons, c.Why)
				}
				for _, why := range reasons {
					seen++
					if said, ok := language.Because(why); !ok {
						t.Errorf("%s: in %s there are no words for %q: %s", l.Name, code, why, said)
					}
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d reasons were looked at", seen)
	}
}

// TestLessonsWithoutARun holds that the page of a lesson without a recorded run has choices where
// they can be known without one, and says in a sentence where they cannot.
func TestLessonsWithoutARun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	if code, _, errs := run(t, "walk", "--site", dir); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, tc := range []struct {
		page, says string
		answered   int
	}{
		{"inbound.html", "Its questions are made of recorded configurations of the lab", 21},
		{"inbound.zh.html", "没有发送任何请求", 21},
		{"startup.html", "the orders of events that the lesson holds", 4},
		{"outbound.html", "5 of its 17 questions have no choices here", 12},
		{"inbound_strict.html", "No recorded run of this lesson stands beside it.", 0},
	} {
		text, err := os.ReadFile(filepath.Join(dir, "lessons", tc.page))
		if err != nil {
			t.Error(err)
			continue
		}
		answered := strings.Count(string(text), `<details><summary>What was inferred`) +
			strings.Count(string(text), `<details><summary>推断的结果`)
		if answered != tc.answered || !strings.Contains(string(text), tc.says) {
			t.Errorf("%s: %d questions are answered, and it does not say %q", tc.page, answered, tc.says)
		}
	}
}
