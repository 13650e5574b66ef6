package walk

import (
	"cmp"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
)

// A paperStep is one step of a lesson as a page shows it.
type paperStep struct {
	Number    int
	Text      []string // paragraphs
	Hands     []string // what is typed by hand
	Questions []paperQuestion
	Results   []script.StepResult // what the commands found
}

// A paperQuestion is one question of a lesson, with what came of it.
type paperQuestion struct {
	Number int
	Text   string
	lesson.Answer
	Guessed, Seen string // in words
}

// paper lays a lesson out by its steps. answers are the questions of a run of it, in their order,
// and results what its commands found; a question that none is given for has only its words.
func (l *Lesson) paper(
	language lesson.Language,
	namespace string,
	answers []lesson.Answer,
	results []script.StepResult,
) []paperStep {
	var steps []paperStep
	next, number := 0, 0
	for i, p := range l.Phases {
		step := paperStep{
			Number: i + 1,
			Text:   script.Paragraphs(l.Words(p, language.Code)),
			Hands:  p.ByHand(namespace),
		}
		for _, line := range p.Lines {
			if key, asks := line.Question(); asks {
				number++
				asked := paperQuestion{Number: number, Text: l.words(p, line.Asks(), language)}
				if next < len(answers) && answers[next].Question.Key() == key {
					asked.Answer = answers[next]
					asked.Question = asked.Question.In(language)
					asked.Text = l.words(p, asked.Question, language)
					asked.Guessed, asked.Seen = guessText(language, asked.Answer), seenText(language, asked.Answer)
					next++
				}
				step.Questions = append(step.Questions, asked)
				continue
			}
			for _, r := range results {
				if r.Line == line.Number {
					step.Results = append(step.Results, r)
				}
			}
		}
		steps = append(steps, step)
	}
	return steps
}

// words are the words of a question of a phase in a language: the lesson's own, where it has any.
func (l *Lesson) words(p script.Phase, q lesson.Question, language lesson.Language) string {
	own := q.Text
	if len(p.Comment) > 0 {
		own = cmp.Or(l.Sentences[language.Code].Question(p.Comment[0], q.Key()), own)
	}
	return language.Question(q, own)
}
