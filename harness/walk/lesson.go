package walk

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
)

// A Lesson is a scenario as it is walked: its phases are the steps.
type Lesson struct {
	Name     string
	Title    string // its first sentence
	Scenario *script.Scenario
	Phases   []script.Phase
	// Sentences are the lesson's words by language code, where there are others than its own.
	Sentences map[string]*lesson.Sentences
	Sum       string // of its text
}

// NewLesson makes a lesson of a scenario. text is the scenario's file.
func NewLesson(s *script.Scenario, text []byte) *Lesson {
	return &Lesson{Name: s.Name, Title: s.Summary(), Scenario: s, Phases: s.Phases(),
		Sentences: map[string]*lesson.Sentences{}, Sum: lesson.Sum(text)}
}

// Add gives the lesson its words in another language, from the text of a file beside it.
func (l *Lesson) Add(language, text string) error {
	s, err := lesson.ParseSentences(text)
	if err != nil {
		return fmt.Errorf("read %s.%s.txt: %w", l.Name, language, err)
	}
	l.Sentences[language] = s
	return nil
}

// Words are a phase's sentences in a language; its own where there are none.
func (l *Lesson) Words(p script.Phase, language string) []string {
	if len(p.Comment) > 0 {
		if words := l.Sentences[language].Phase(p.Comment[0]); len(words) > 0 {
			return words
		}
	}
	return p.Comment
}

// Questions counts the questions of the lesson.
func (l *Lesson) Questions() int {
	n := 0
	for _, p := range l.Phases {
		for _, line := range p.Lines {
			if _, ok := line.Question(); ok {
				n++
			}
		}
	}
	return n
}

// wordsAMinute is how fast a text is read silently, and questionMinutes how long one question takes
// with what it explains. The first is the mean of 190 studies: Brysbaert 2019, J. Mem. Lang.
// 109:104047.
const (
	wordsAMinute    = 238
	questionMinutes = 0.75
	runMinutes      = 0.5
)

// Minutes is how long the lesson takes who has not read it before: its words, its
// questions and its run.
func (l *Lesson) Minutes() int {
	words := 0
	for _, p := range l.Phases {
		words += len(strings.Fields(strings.Join(p.Comment, " ")))
	}
	minutes := float64(words)/wordsAMinute + float64(l.Questions())*questionMinutes + runMinutes
	return max(1, int(minutes+0.5))
}

// Untranslated are the phases and questions that have no words of their own in a language, and the
// words that belong to none.
func (l *Lesson) Untranslated(language string) (missing, stale []string) {
	s := l.Sentences[language]
	phases, questions := s.Keys()
	for _, p := range l.Phases {
		if len(p.Comment) == 0 {
			continue
		}
		if !slices.Contains(phases, p.Comment[0]) {
			missing = append(missing, p.Comment[0])
		}
		phases = slices.DeleteFunc(phases, func(k string) bool { return k == p.Comment[0] })
		for _, line := range p.Lines {
			key, ok := line.Question()
			if ok && slices.Contains(line.Words, "-ask") && s.Question(p.Comment[0], key) == "" {
				missing = append(missing, key)
			}
			questions = slices.DeleteFunc(questions, func(k string) bool { return ok && k == key })
		}
	}
	return missing, append(phases, questions...)
}

// holds says for every infer line by which later line its result may be shown: the last predict
// before the next infer.
func (l *Lesson) holds() map[int]int {
	until := map[int]int{}
	infer := 0
	for _, p := range l.Phases {
		for _, line := range p.Lines {
			if len(line.Words) > 0 && line.Words[0] == "infer" {
				infer = line.Number
			}
			if _, ok := line.Question(); ok && infer > 0 && line.Asks().File == "" {
				until[infer] = line.Number
			}
		}
	}
	return until
}
