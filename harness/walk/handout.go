package walk

import (
	"embed"
	"html/template"
	"io"
	"slices"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/screen"
)

//go:embed handout.html
var pages embed.FS

var handout = template.Must(template.ParseFS(pages, "handout.html"))

// handoutStep is one step of a lesson on paper.
type handoutStep struct {
	Number    int
	Text      string
	Hands     []string
	Questions []handoutQuestion
}

type handoutQuestion struct {
	Number int
	Text   string
	lesson.Question
}

// Handout writes a lesson as one page that needs nothing else and prints: its sentences, what is
// typed by hand, and its questions with room for an answer. With solutions it has the answers, and
// why. asked are the questions of a run of the lesson.
func Handout(w io.Writer, l *Lesson, asked []lesson.Question, language lesson.Language, namespace string, solutions bool) error {
	page := struct {
		Language, Title, Name string
		Solutions             bool
		Minutes               int
		Steps                 []handoutStep
	}{Language: language.Code, Title: l.Title, Name: l.Name, Solutions: solutions, Minutes: l.Minutes()}
	next := 0
	for i, p := range l.Phases {
		step := handoutStep{Number: i + 1, Text: screen.Joined(slices.DeleteFunc(slices.Clone(l.Words(p, language.Code)), func(s string) bool { return s == "" }))}
		for _, line := range p.Lines {
			for _, hand := range script.ByHand(namespace, line.Words) {
				if !slices.Contains(step.Hands, hand) {
					step.Hands = append(step.Hands, hand)
				}
			}
			key, asks := line.Question()
			if !asks || next >= len(asked) || asked[next].Key() != key {
				continue
			}
			q := asked[next]
			next++
			own := q.Text
			if len(p.Comment) > 0 {
				if text := l.Sentences[language.Code].Question(p.Comment[0], key); text != "" {
					own = text
				}
			}
			step.Questions = append(step.Questions, handoutQuestion{Number: next, Text: language.Question(q, own), Question: q})
		}
		page.Steps = append(page.Steps, step)
	}
	return handout.Execute(w, page)
}
