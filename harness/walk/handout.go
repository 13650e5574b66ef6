package walk

import (
	"embed"
	"html/template"
	"io"
	"sync"

	"github.com/flowproof/lab/harness/lesson"
)

//go:embed handout.html page.html
var pages embed.FS

var handout = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(pages, "handout.html"))
})

// Handout writes a lesson as one page that needs nothing else and prints: its sentences, what is
// typed by hand, and its questions with room for an answer. With solutions it has the answers, and
// why. answers are the questions of a run of the lesson.
func Handout(
	w io.Writer,
	l *Lesson,
	answers []lesson.Answer,
	language lesson.Language,
	namespace string,
	solutions bool,
) error {
	return handout().Execute(w, struct {
		Language, Title, Name string
		Solutions             bool
		Minutes               int
		Steps                 []paperStep
		Lost                  func(lesson.Question, lesson.Choice) string
	}{
		language.Code, l.Title, l.Name, solutions, l.Minutes(),
		l.paper(language, namespace, answers, nil), language.Lost,
	})
}
