package script

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/observe/trace/order"
)

// Ask puts a question to a learner and returns what came of it. An error ends the scenario.
type Ask func(ctx context.Context, q lesson.Question) (lesson.Answer, error)

var predictCommand = Command{
	Name:    "predict",
	Usage:   "predict [-ask TEXT] [-hint TEXT] [-lost] HOP [FACT] | predict [-ask TEXT] [-hint TEXT] -after TEXT FILE",
	Summary: "Ask what inference has decided at a hop, before it is shown",
	Detail: "`lab walk` puts the question to the learner and holds back what infer found until all that follows it " +
		"is answered. It is a\n" +
		"choice between what was decided and what really lost: the alternatives that inference refused, with their " +
		"reasons, or what the\n" +
		"other sidecar decides at the same hop. With -lost it asks which alternative is configured and was left out. " +
		"With a FACT a value is\n" +
		"typed, such as redirect.port or upstream.local. `lab run` and `go test` ask nothing: there it fails where " +
		"the way has no such hop,\n" +
		"where nothing lost, where a wrong answer is no resource of the dump, and verify fails where an instrument " +
		"saw another value.\n" +
		"HOP is written as in reports: client/route, server/filter-chain. Without -ask the words are those of the " +
		"hop's kind.\n" +
		"With -after it asks which event of FILE comes next after the first one that has TEXT; a line `events` " +
		"further on has to hold FILE.",
	offline: func([]string) bool { return true },
	hand:    nothingTyped,
	replay:  (*replay).predict,
	run:     (*session).predict,
}

// predict puts the question, or only looks at it where there is no one to be asked.
func (s *session) predict(args []string) error {
	call, err := parsePredict(args)
	if err != nil {
		return err
	}
	q, err := s.question(call)
	if err != nil {
		return err
	}
	answer := lesson.Answer{Question: q}
	if s.ask != nil {
		if answer, err = s.ask(s.ctx, q); err != nil {
			return err
		}
	}
	s.answers = append(s.answers, answer)
	s.print("%s", q.Answer)
	if wrong := wrongNames(q); len(wrong) > 0 {
		s.print("not %s", strings.Join(wrong, "; "))
	}
	return nil
}

// predict puts the question over the recorded way, as a run does over its own.
func (r *replay) predict(args []string) error { return r.session.predict(args) }

// question makes the question of a predict line, and holds that it can be answered.
func (s *session) question(call predictCall) (lesson.Question, error) {
	if call.after != "" {
		return s.next(call)
	}
	if len(s.Flow.Path.Hops) == 0 {
		return lesson.Question{}, badUsage("there is nothing to ask before infer")
	}
	q, err := call.question(s.Flow.Path)
	if err == nil {
		err = s.resources(q)
	}
	if err != nil {
		return q, fault.Mismatchf("predict %s: %w", call.subject, err)
	}
	return q, nil
}

// next makes the question which event of a file comes next. That it does is what events holds.
func (s *session) next(call predictCall) (lesson.Question, error) {
	held := slices.ContainsFunc(s.script, func(words []string) bool {
		return len(words) > 0 && words[0] == eventsCommand.Name && slices.Contains(words[1:], call.file)
	})
	if !held {
		return lesson.Question{}, badUsage(
			"no line holds " + call.file + " (write events POD " + call.file + " after it)",
		)
	}
	text, err := s.readFile(call.file)
	if err != nil {
		return lesson.Question{}, fault.Usagef("predict: %w", err)
	}
	pattern, err := order.ParsePattern(call.file, string(text))
	if err != nil {
		return lesson.Question{}, fault.Usagef("predict: %w", err)
	}
	var events []lesson.Event
	for _, e := range pattern.Expects() {
		events = append(events, lesson.Event(e))
	}
	q, err := lesson.AskNext(call.file, events, call.after)
	if err != nil {
		return q, fault.Usagef("predict: %w", err)
	}
	q.Text, q.Hint = call.text, call.hint
	return q, nil
}

// sawOrder notes that the events of a file were seen in their order.
func (s *session) sawOrder(file string) {
	for i := range s.answers {
		if a := &s.answers[i]; a.Question.File == file {
			a.Seen, a.By = string(flow.Confirmed), string(flow.Trace)
		}
	}
}

func wrongNames(q lesson.Question) []string {
	var names []string
	for _, c := range q.Choices {
		if !c.Right {
			names = append(names, c.Name)
		}
	}
	return names
}

// A predictCall is a predict line that was read.
type predictCall struct {
	subject    lesson.Subject
	text, hint string
	lost       bool
	after      string // text of an event; then file is where it stands
	file       string
}

func parsePredict(args []string) (predictCall, error) {
	var call predictCall
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "-lost":
			call.lost, args = true, args[1:]
		case len(args) > 1 && args[0] == "-ask":
			call.text, args = args[1], args[2:]
		case len(args) > 1 && args[0] == "-hint":
			call.hint, args = args[1], args[2:]
		case len(args) > 1 && args[0] == "-after":
			call.after, args = args[1], args[2:]
		default:
			return call, badUsage("before HOP stand -ask, -hint and -after with a text, and -lost")
		}
	}
	if call.after != "" {
		if len(args) != 1 || call.lost {
			return call, badUsage("-after needs the file that the events stand in, and nothing else")
		}
		call.file = args[0]
		return call, nil
	}
	if len(args) < 1 || len(args) > 2 {
		return call, badUsage("it needs a hop, and a fact of it where a value is asked for")
	}
	var err error
	if call.subject, err = lesson.ParseSubject(args[0], strings.Join(args[1:], "")); err != nil {
		return call, badUsage(err.Error())
	}
	if call.lost && call.subject.Fact != "" {
		return call, badUsage("-lost asks for an alternative, not for a fact")
	}
	return call, nil
}

func (c predictCall) question(path flow.Path) (lesson.Question, error) {
	ask := lesson.Ask
	if c.lost {
		ask = lesson.AskLost
	}
	q, err := ask(path, c.subject)
	q.Text, q.Hint = c.text, c.hint
	return q, err
}

// resources fails where a choice of a question is not in the dump that it is said to be of.
func (s *session) resources(q lesson.Question) error {
	for _, c := range q.Choices {
		kept := s.KeptDump(c.Proxy)
		if kept == nil || c.Source == "" {
			continue
		}
		dump, err := configdump.Parse(kept)
		if err != nil {
			return err
		}
		there := dump.At(c.Source).Exists()
		_ = dump.Close()
		if !there {
			return fmt.Errorf("%s is not in the dump of %s at %s", c.Name, c.Proxy, c.Source)
		}
	}
	return nil
}

// judgeAnswers says of every question what became of it. A value that was asked for and seen
// otherwise is a mismatch.
func (s *session) judgeAnswers(verdict flow.RunVerdict) error {
	var wrong []string
	for i := range s.answers {
		a := &s.answers[i]
		a.Judge(s.Flow, verdict)
		q := a.Question
		if q.Subject.Fact != "" && a.Seen != string(flow.NotObserved) && !q.Right(a.Seen) {
			wrong = append(wrong, fmt.Sprintf("%s is %s, and %s was seen", q.Subject, q.Answer, a.Seen))
		}
	}
	if len(wrong) > 0 {
		return fault.Mismatchf("verify: what was asked for is not what was seen: %s", strings.Join(wrong, "; "))
	}
	return nil
}
