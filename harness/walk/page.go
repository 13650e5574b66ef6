package walk

import (
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/page"
	"github.com/flowproof/lab/harness/script"
)

// A Page is a walk as one HTML page, which needs no script: the sentences of a lesson, what is
// typed by hand, its questions, whose answers are folded up, and what the commands found.
type Page struct {
	Lesson    *Lesson
	Language  lesson.Language
	Namespace string // of pods that the lesson names without one
	// Result is a run of the lesson; nil: there is none, and the page has its sentences, and its
	// questions as far as Asked has them.
	Result *script.Result
	// Asked are the questions that can be put without a run, where there is none.
	Asked []lesson.Answer
	// Links stand at the top of the page.
	Links []page.Link
	// Term is where the page leads for a kind of hop; nil: nowhere.
	Term func(flow.HopKind) string
}

var walkPage = sync.OnceValue(func() *template.Template {
	return template.Must(page.NewTemplate("page.html").ParseFS(pages, "page.html"))
})

// Remember gives the questions of a run what a learner has said to them in a walk, which Walker.ask
// keeps by the step, the number and the key of each question.
func Remember(answers []lesson.Answer, p *lesson.Progress) {
	for key, said := range p.Answers {
		_, rest, _ := strings.Cut(key, "/")
		number, question, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(answers) || answers[n-1].Question.Key() != question {
			continue
		}
		a := &answers[n-1]
		a.Guess, a.Right, a.Skipped, a.Tries = said.Guess, said.Right, said.Skipped, said.Tries
	}
}

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	view := struct {
		Page
		Style    template.CSS
		Steps    []paperStep
		Score    string
		Recorded string
		Without  string // that there is no run, and what follows from it
	}{Page: p, Style: template.CSS(page.BaseStyle)}
	answers := p.Asked
	var results []script.StepResult
	if r := p.Result; r != nil {
		answers = r.Answers
		for _, phase := range r.Phases {
			results = append(results, phase.Steps...)
		}
		if r.Run != nil && !r.Run.Sent.IsZero() {
			view.Recorded = p.Language.Say(
				"recorded.page",
				r.Run.Call.URL,
				r.Run.Sent.UTC().Format("2006-01-02 15:04:05 UTC"),
			)
		}
		view.Score = score(p.Language, answers)
	} else {
		view.Without = without(p.Language, p.Lesson.Questions(), answers)
	}
	view.Steps = p.Lesson.paper(p.Language, p.Namespace, answers, results)
	if err := walkPage().Execute(w, view); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// Say is a text of the page's language, for its template.
func (p Page) Say(key string, values ...any) string { return p.Language.Say(key, values...) }

// About is where the glossary says what a question is about; "" where there is no glossary.
func (p Page) About(q lesson.Question) string {
	if p.Term == nil || q.Subject.Kind == "" {
		return ""
	}
	return p.Term(q.Subject.Kind)
}

// without says of a lesson without a run where its choices come from, and which there are none of.
func without(language lesson.Language, questions int, answers []lesson.Answer) string {
	switch {
	case questions == 0:
		return language.Say("without.nothing")
	case len(answers) == questions:
		return language.Say("without.run")
	case len(answers) == 0:
		return language.Say("without.choices")
	}
	return language.Say("without.some", questions-len(answers), questions)
}

// score says how many answers were right; "" where no learner has answered.
func score(language lesson.Language, answers []lesson.Answer) string {
	right, skipped, unasked := tally(answers)
	if len(answers) == 0 || unasked == len(answers) {
		return ""
	}
	return language.Say("end.score", right, len(answers), skipped, unasked)
}
