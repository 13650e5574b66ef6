package script

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/exit"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/trace"
)

var eventsCommand = Command{
	Name:    "events",
	Usage:   "events [-all] POD FILE [or FILE...]",
	Summary: "Find in what eBPF saw in a pod the events of a file, in their order",
	Detail: "FILE is one of the scenario's own. Each line of it is an event as `lab trace --events` shows it, with * for any text and $name for\n" +
		"a word that has to be the same wherever the name comes again, also in the scenario's next file and in its commands; a $NAME in\n" +
		"capitals has its meaning already, as $NAME_IP has after show pod. Other events may come between two lines; what must not come\n" +
		"between them stands there after `no`. Where things can go more than one way, each has its file, and one of them has to hold.\n" +
		"The events are those about the request, in Envoy, application and kernel. With -all they are all of the pod's, as they have to be\n" +
		"where no request was sent. A trace that goes on is ended.",
	run: func(s *session, args []string) error {
		all := len(args) > 0 && args[0] == "-all"
		if all {
			args = args[1:]
		}
		if len(args) < 2 || len(args)%2 != 0 {
			return badUsage("write POD FILE, or POD FILE or FILE")
		}
		var files []string
		for i, word := range args[1:] {
			switch {
			case i%2 == 0:
				files = append(files, word)
			case word != "or":
				return badUsage("between two files stands: or")
			}
		}
		if !all && s.sent == nil {
			return badUsage("there is no request before it, so it needs -all")
		}
		return s.events(args[0], files, all)
	},
}

// events looks for the first of the orders in files that holds in a pod's story.
func (s *session) events(ref string, files []string, all bool) error {
	var patterns []*trace.Pattern
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(s.dir, filepath.Clean("/"+file)))
		if err != nil {
			return exit.Usagef("events: %w", err)
		}
		p, err := trace.ParsePattern(file, string(text))
		if err == nil {
			err = p.Check(s.variables)
		}
		if err != nil {
			return exit.Usagef("events: %w", err)
		}
		patterns = append(patterns, p)
	}
	recording, err := s.endTrace()
	switch {
	case err != nil:
		return err
	case recording == nil:
		return badUsage("there is no trace before it")
	}
	story, err := s.story(recording, ref, all)
	if err != nil {
		return err
	}
	match, name, err := firstOf(patterns, story, s.variables)
	if err != nil {
		return exit.Mismatchf("events %s: %w%s", ref, err, offText(recording))
	}
	maps.Copy(s.variables, match.Names)
	s.print("%s in the order of %s", plural(len(match.Lines), "event"), name)
	return trace.WriteLines(&s.out, match.Lines, false)
}

// story is what was seen in a pod. Where something was lost, it is no story: what is not in it may have been all the same.
func (s *session) story(r *trace.Recording, ref string, all bool) ([]trace.Line, error) {
	name, namespace := mesh.SplitRef(ref)
	pod := name + "." + namespace
	if !slices.ContainsFunc(r.Pods, func(p trace.Pod) bool { return p.Name == pod }) {
		return nil, badUsage(pod + " was not traced")
	}
	if lost := r.Counts.Lost + r.Counts.Missed; lost > 0 || r.Problem != "" {
		return nil, exit.Incompletef("events %s: %d events were lost, so their order proves nothing %s", ref, lost, r.Problem)
	}
	about := func(*trace.Event) bool { return true }
	if !all {
		about = r.About(trace.Selection{RequestID: s.run.Call.RequestID})
	}
	return r.Story(func(e *trace.Event) bool { return e.Pod == pod && about(e) }), nil
}

// firstOf finds the first pattern that holds. Where none does, the error is about the one that came furthest.
func firstOf(patterns []*trace.Pattern, story []trace.Line, known trace.Binding) (*trace.Match, string, error) {
	var best *trace.OrderError
	for _, p := range patterns {
		match, err := p.Find(story, known)
		if err == nil {
			return match, p.Name, nil
		}
		if failed, ok := errors.AsType[*trace.OrderError](err); ok && (best == nil || failed.Found > best.Found) {
			best = failed
		}
	}
	if len(patterns) > 1 {
		return nil, "", fmt.Errorf("none of the %d ways holds; this comes furthest:\n%w", len(patterns), best)
	}
	return nil, "", best
}

// offText says which events could not be seen.
func offText(r *trace.Recording) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.Off)) {
		fmt.Fprintf(&b, "\n%s is not observed: %s", name, r.Off[name])
	}
	return b.String()
}
