package walk_test

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/walk"
)

// TestPageWithoutARun holds that a question stands on the page in the lesson's own words, also
// where no run has answered it.
func TestPageWithoutARun(t *testing.T) {
	text := []byte("# One.\npredict -ask 'Which one is it?' client/route\npredict server/route\n")
	language, _ := lesson.Speak("en")
	p := walk.Page{Lesson: walk.NewLesson(script.Parse("own", text), text), Language: language}
	var page strings.Builder
	if err := p.Write(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1. Which one is it?", "2. " + language.Question(lesson.Question{
		Subject: lesson.Subject{Side: "server", Kind: "route"},
	}, "")} {
		if !strings.Contains(page.String(), strings.ReplaceAll(want, "'", "&#39;")) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
