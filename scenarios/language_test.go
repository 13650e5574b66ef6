package scenarios_test

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/scenarios"
)

// translated are the lessons that have their words in Chinese; a phase or a question of theirs without any fails.
var translated = []string{"inbound", "outbound"}

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

// TestQuestions holds how much the chapter's two lessons ask: a question at every decision of the book.
func TestQuestions(t *testing.T) {
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
