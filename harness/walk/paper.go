package walk

import (
	"slices"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/screen"
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
		step := paperStep{Number: i + 1, Text: paragraphs(l.Words(p, language.Code))}
		for _, line := range p.Lines {
			for _, hand := range script.ByHand(namespace, line.Words) {
				if !slices.Contains(step.Hands, hand) {
					step.Hands = append(step.Hands, hand)
				}
			}
			if key, asks := line.Question(); asks {
				number++
				asked := paperQuestion{Number: number, Text: l.ownWords(p, key, language)}
				if next < len(answers) && answers[next].Question.Key() == key {
					asked.Answer = answers[next]
					asked.Text = language.Question(asked.Question, orElse(asked.Text, asked.Question.Text))
					asked.Guessed, asked.Seen = guessText(language, asked.Answer), seenText(language, asked.Answer)
					next++
				}
				if asked.Text == "" {
					asked.Text = language.Question(line.Asks(), "")
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

// ownWords are the lesson's own words of a question in a language; "" where it has none.
func (l *Lesson) ownWords(p script.Phase, key string, language lesson.Language) string {
	if len(p.Comment) == 0 {
		return ""
	}
	return l.Sentences[language.Code].Question(p.Comment[0], key)
}

// paragraphs joins lines to paragraphs: an empty line, or one that begins an item of a list, ends one.
func paragraphs(lines []string) []string {
	var all, open []string
	for _, line := range append(slices.Clone(lines), "") {
		if (line == "" || len(line) > 1 && line[:2] == "- ") && len(open) > 0 {
			all = append(all, screen.Joined(open))
			open = nil
		}
		if line != "" {
			open = append(open, line)
		}
	}
	return all
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
