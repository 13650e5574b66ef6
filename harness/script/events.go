package script

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/observe/trace/order"
)

var eventsCommand = Command{
	Name:    "events",
	names:   ends,
	Usage:   "events [-all] POD FILE [or FILE...]",
	Summary: "Find in what eBPF saw in a pod the events of a file, in their order",
	Detail: "FILE is one of the scenario's own. Each line of it is an event as `lab trace --events=raw` shows it, " +
		"with * for any text and $name for\n" +
		"a word that has to be the same wherever the name comes again, also in the scenario's next file and in its " +
		"commands; a $NAME in\n" +
		"capitals has its meaning already, as $NAME_IP has after show pod. Other events may come between two lines; " +
		"what must not come\n" +
		"between them stands there after `no`. Where things can go more than one way, each has its file, and one of " +
		"them has to hold.\n" +
		"The events are those about the request, in Envoy, application and kernel. With -all they are all of the " +
		"pod's, as they have to be\n" +
		"where no request was sent. A trace that goes on is ended.\n" +
		"Where a probe was off, it ends incomplete when no file holds, or only one with a `no` in it: what is " +
		"missing may have been unseen.",
	hand:   handEvents,
	replay: (*replay).events,
	run: func(s *session, args []string) error {
		all := len(args) > 0 && args[0] == "-all"
		if all {
			args = args[1:]
		}
		if len(args) < 2 || len(args)%2 != 0 {
			return badUsage("write POD FILE, or POD FILE or FILE")
		}
		for i, word := range args[1:] {
			if i%2 == 1 && word != "or" {
				return badUsage("between two files stands: or")
			}
		}
		if !all && !s.Sent() {
			return badUsage("there is no request before it, so it needs -all")
		}
		return s.events(args[0], fileNames(args[1:]), all)
	},
}

// fileNames are the names in FILE or FILE.
func fileNames(words []string) []string {
	var files []string
	for i := 0; i < len(words); i += 2 {
		files = append(files, words[i])
	}
	return files
}

// events ends the trace that goes on, and holds orders of events against it.
func (s *session) events(ref string, files []string, all bool) error {
	recording, err := s.EndTrace(s.ctx)
	switch {
	case err != nil:
		return err
	case recording == nil:
		return badUsage("there is no trace before it")
	}
	return s.eventsOf(recording, ref, files, all)
}

// eventsOf looks for the first of the orders in files that holds in a pod's story.
func (s *session) eventsOf(recording *trace.Recording, ref string, files []string, all bool) error {
	patterns, err := s.patterns(files)
	if err != nil {
		return fault.Usagef("events: %w", err)
	}
	story, err := s.story(recording, ref, all)
	if err != nil {
		return err
	}
	match, name, err := s.firstOf(patterns, story, recording.Blind(s.FullName(ref)))
	if err != nil {
		return fmt.Errorf("events %s: %w", ref, err)
	}
	maps.Copy(s.variables, match.Names)
	s.sawOrder(name)
	s.print("%s in the order of %s", plural(len(match.Lines), "event"), name)
	return order.WriteLines(&s.out, match.Lines, false, 0)
}

// patterns reads the orders in files. Every name in them has to have its meaning.
func (s *session) patterns(files []string) ([]*order.Pattern, error) {
	var all []*order.Pattern
	for _, file := range files {
		text, err := s.readFile(file)
		if err != nil {
			return nil, err
		}
		p, err := order.ParsePattern(file, string(text))
		if err == nil {
			err = p.Check(s.variables)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// story is what was seen in a pod. Where something is missing, it is no story: what is not in it
// may have been all the same.
func (s *session) story(r *trace.Recording, ref string, all bool) ([]order.Line, error) {
	pod := s.FullName(ref)
	if !slices.ContainsFunc(r.Pods, func(p trace.Pod) bool { return p.Name == pod }) {
		return nil, badUsage(pod + " was not traced")
	}
	if gaps := r.Gaps(); len(gaps) > 0 {
		return nil, fault.Incompletef("events %s: what was seen has gaps, so its order proves nothing: %s", ref,
			strings.Join(gaps, "; "))
	}
	about := func(*trace.Event) bool { return true }
	if !all {
		about = r.About(trace.Selection{RequestID: s.Flow.Call.RequestID})
	}
	return order.Story(r, func(e *trace.Event) bool { return e.Pod == pod && about(e) }), nil
}

// firstOf finds the first pattern that holds. Where none does, the error is about the one that came
// furthest. blind says what could not be seen: with anything there, a pattern that fails is no
// mismatch, and one that says what must not happen proves nothing.
func (s *session) firstOf(patterns []*order.Pattern, story []order.Line, blind []string) (*order.Match, string, error) {
	var best *order.OrderError
	vacuous := ""
	for _, p := range patterns {
		match, err := p.Find(s.ctx, story, s.variables)
		failed, isOrder := errors.AsType[*order.OrderError](err)
		switch {
		case err == nil && (len(blind) == 0 || !p.Forbids()):
			return match, p.Name, nil
		case err == nil:
			vacuous = cmp.Or(vacuous, p.Name)
		case !isOrder:
			return nil, "", err
		case best == nil || failed.Found > best.Found:
			best = failed
		}
	}
	unseen := strings.Join(slices.Concat([]string{""}, blind), "\n")
	if vacuous != "" {
		return nil, "", fault.Incompletef("%s holds, and what must not happen there may have happened unseen%s",
			vacuous, unseen)
	}
	var err error = best
	if len(patterns) > 1 {
		err = fmt.Errorf("none of the %d ways holds; this comes furthest:\n%w", len(patterns), best)
	}
	if len(blind) > 0 {
		return nil, "", fault.Incompletef("%w%s", err, unseen)
	}
	return nil, "", fault.Mismatchf("%w", err)
}

// handEvents is one of the author's own probes, as handTrace's are.
func handEvents(string, []string) []string {
	return []string{"bpftrace -e 'tracepoint:syscalls:sys_enter_epoll_ctl /comm == \"wrk:worker_0\" || comm == " +
		"\"wrk:worker_1\"/ " +
		"{ printf(\"%s epoll_ctl op %d fd %d\\n\", comm, args->op, args->fd); }'"}
}

// events holds the orders of events against the recorded ones. A line that needs a name that only
// the cluster had is left out, and so is one about a pod that was not traced.
func (r *replay) events(args []string) error {
	recording := r.rec.Recording
	if recording == nil || recording.Trace == nil || len(args) < 2 || args[0] == "-all" ||
		!slices.ContainsFunc(recording.Trace.Pods, func(p trace.Pod) bool {
			return p.Name == r.session.FullName(args[0])
		}) {
		return errNothing
	}
	if _, err := r.session.patterns(fileNames(args[1:])); err != nil {
		return errNothing
	}
	return r.session.eventsOf(recording.Trace, args[0], fileNames(args[1:]), false)
}
