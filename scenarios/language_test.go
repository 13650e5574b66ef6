package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/scenarios"
)

// translated are the lessons that have their words in Chinese; a phase or a question of
// theirs without any fails.
var translated = []string{"inbound", "outbound", "inbound_trace", "startup", "handshake", "life_of_a_request"}

// TestTranslations names every phase and question that has no words in a language that its lesson
// has, and all words that belong to none: a lesson that was changed leaves its translation behind.
func TestTranslations(t *testing.T) {
	for _, name := range scenarios.Names() {
		l, err := scenarios.Lesson(name)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(translated, name) && l.Sentences["zh"] == nil {
			t.Errorf("%s has no %s.zh.txt", name, name)
		}
		for language := range l.Sentences {
			missing, stale := l.Untranslated(language)
			for _, phase := range missing {
				t.Errorf("%s.%s.txt has no words for %q", name, language, phase)
			}
			for _, words := range stale {
				t.Errorf("%s.%s.txt has words for %q, which the lesson does not have", name, language, words)
			}
		}
	}
}

// TestQuestions holds how much the chapter's two lessons ask, a question at every decision of the
// book, and the four traces together.
func TestQuestions(t *testing.T) {
	asked := 0
	for _, w := range scenarios.Workshops() {
		for _, name := range w.Lessons {
			if l, err := scenarios.Lesson(name); err == nil && w.Name == "traces" {
				asked += l.Questions()
			}
		}
	}
	if asked < 20 {
		t.Errorf("the traces ask %d questions, fewer than 20", asked)
	}
	for _, name := range []string{"inbound", "outbound"} {
		l, err := scenarios.Lesson(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := l.Questions(); n < 12 {
			t.Errorf("%s asks %d questions, fewer than 12", name, n)
		}
	}
}

// TestWorkshops holds that every lesson of a workshop is there, and that every task is in one.
func TestWorkshops(t *testing.T) {
	walked := map[string]bool{}
	for _, w := range scenarios.Workshops() {
		if w.Title == "" || len(w.Lessons) < 2 {
			t.Errorf("workshop %s: title %q, %d lessons", w.Name, w.Title, len(w.Lessons))
		}
		if slices.Contains(scenarios.Names(), w.Name) {
			t.Errorf("%s is a workshop and a lesson", w.Name)
		}
		for _, name := range w.Lessons {
			walked[name] = true
			l, err := scenarios.Lesson(name)
			if err != nil {
				t.Errorf("workshop %s: %v", w.Name, err)
			} else if l.Questions() == 0 && !strings.HasPrefix(name, "task_") {
				t.Errorf("workshop %s: %s asks nothing", w.Name, name)
			}
		}
	}
	for _, name := range scenarios.Names() {
		if strings.HasPrefix(name, "task_") && !walked[name] {
			t.Errorf("no workshop has %s", name)
		}
	}
}

// FuzzParseWorkshop holds that no name of a lesson has a comment or blanks around it.
func FuzzParseWorkshop(f *testing.F) {
	f.Add("# A title\ninbound\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, names := scenarios.ParseWorkshop(text)
		for _, name := range names {
			if name != strings.TrimSpace(name) || strings.ContainsAny(name, "#\n") {
				t.Errorf("%q", name)
			}
		}
	})
}
