package lesson

import (
	"fmt"
	"strings"
)

// Sentences are a lesson's words in another language, from a file beside it: NAME.zh.txt. A line "#
// TEXT" begins a phase, by the first line of the phase's own comment, and the lines below are its
// words. A line "? PREDICT" begins the words of a question, by what stands after predict in the
// scenario without -ask and -hint: client/route, or -lost server/listener-filters.
type Sentences struct {
	phases    map[string][]string
	questions map[string]string
}

// ParseSentences reads a file of sentences. An error names the line.
func ParseSentences(text string) (*Sentences, error) {
	s := &Sentences{phases: map[string][]string{}, questions: map[string]string{}}
	var phase, question string
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "# "):
			phase, question = strings.TrimSpace(line[2:]), ""
			if _, twice := s.phases[phase]; twice {
				return nil, fmt.Errorf("line %d: the phase %q stands there twice", i+1, phase)
			}
			s.phases[phase] = []string{}
		case strings.HasPrefix(line, "? "):
			question = strings.Join(strings.Fields(line[2:]), " ")
			s.questions[phase+"\x00"+question] = ""
		case question != "":
			key := phase + "\x00" + question
			s.questions[key] = strings.TrimSpace(s.questions[key] + " " + line)
		case phase != "":
			s.phases[phase] = append(s.phases[phase], line)
		default:
			return nil, fmt.Errorf("line %d: it stands before the first phase (write # and the phase's first line)",
				i+1)
		}
	}
	return s, nil
}

// Phase returns the words of the phase whose comment begins with first; none where there are none.
func (s *Sentences) Phase(first string) []string {
	if s == nil {
		return nil
	}
	return s.phases[first]
}

// Question returns the words of a question of that phase; "" where there are none.
func (s *Sentences) Question(first, predict string) string {
	if s == nil {
		return ""
	}
	return s.questions[first+"\x00"+predict]
}

// Key is what a file of sentences calls the question by.
func (q Question) Key() string {
	switch {
	case q.File != "":
		return "-after " + q.After + " " + q.File
	case q.Lost:
		return "-lost " + q.Subject.String()
	}
	return q.Subject.String()
}

// Keys are the phases and the questions that a file has words for, for a test that holds them
// against the lesson's own.
func (s *Sentences) Keys() (phases, questions []string) {
	for key, words := range s.phases {
		if len(words) > 0 {
			phases = append(phases, key)
		}
	}
	for key, words := range s.questions {
		if words != "" {
			_, question, _ := strings.Cut(key, "\x00")
			questions = append(questions, question)
		}
	}
	return phases, questions
}
