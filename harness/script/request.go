package script

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/run"
)

var requestCommand = Command{
	Name:    "request",
	names:   ends,
	touches: measures,
	Usage:   "request [-X METHOD] [-H HEADER]... [-d DATA]... FROM -> URL",
	Summary: "Send one request with curl from a pod's application container",
	Detail: "It is the call that infer was asked about, with an x-request-id of its own by which it is found in the " +
		"logs.\n" +
		"-X, -H and -d are curl's: a method; a header as \"name: value\", which may come several times; data, or a " +
		"@FILE of the scenario's\n" +
		"own with them. A word with blanks, $ or # stands in single quotes, and a quote in it is written twice.\n" +
		"An answer of any status is an answer; stdout has its status for the script to check. Instruments that no " +
		"command asks for look around\n" +
		"it at every pod that another one looks at, until observe.",
	looks:  []flow.Instrument{flow.Curl},
	hand:   handRequest,
	replay: (*replay).request,
	run: func(s *session, args []string) error {
		call, err := s.callOf(args)
		if err != nil {
			return err
		}
		switch {
		case s.Sent():
			return badUsage("one request has been sent already, and a run is about one")
		case s.Flow.Call.URL == "":
			s.Flow.Call = call
		case !run.Same(s.Flow.Call, call):
			return badUsage(fmt.Sprintf("what was inferred is %s -> %s", s.Flow.Call.From, s.Flow.Call.URL))
		}
		if err := s.LookToo(s.ctx, asked()...); err != nil {
			return err
		}
		told, err := s.Send(s.ctx)
		switch {
		case err != nil:
			return err
		case told.Status == 0:
			s.print("no answer: %s", told.Failure)
		default:
			s.print("status %d after %s, from %s to %s", told.Status, told.Timing.Total.Round(100*time.Microsecond),
				told.Local, told.Remote)
		}
		return nil
	},
}

// callOf reads "[-X METHOD] [-H HEADER]... [-d DATA]... FROM -> URL".
func (s *session) callOf(args []string) (flow.Call, error) {
	arrow := slices.Index(args, "->")
	if arrow < 1 || arrow != len(args)-2 {
		return flow.Call{}, badUsage("write FROM -> URL")
	}
	call, err := s.NewCall(args[arrow-1], args[arrow+1])
	if err != nil {
		return call, err
	}
	options, err := curl.Options(args[:arrow-1])
	if err != nil {
		return call, badUsage("before FROM stand -X, -H and -d with their values")
	}
	for _, o := range options {
		if !slices.Contains([]string{"-X", "request", "-H", "header", "-d", "data"}, o.Name) {
			return call, badUsage("before FROM stand -X, -H and -d with their values")
		}
	}
	if err := curl.Apply(options, &call, s.ownFile); err != nil {
		return call, fault.Usagef("%w", err)
	}
	return call, nil
}

// ownFile reads one of the scenario's own files.
func (s *session) ownFile(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(s.dir, filepath.Clean("/"+name)))
}

func handRequest(ns string, args []string) []string {
	if len(args) < 3 {
		return nil
	}
	from, options := args[len(args)-3], args[:len(args)-3]
	container := ""
	if _, name, ok := strings.Cut(from, "/"); ok {
		container = " -c " + name
	}
	pod, ns := podRef(ns, from)
	line := fmt.Sprintf("kubectl exec %s -n %s%s -- curl -sv", pod, ns, container)
	for _, o := range append(options, args[len(args)-1]) {
		line += " " + shellWord(o)
	}
	return []string{line}
}

// request shows the answer that curl told of.
func (r *replay) request([]string) error {
	r.sent = true
	if r.rec.Recording == nil || r.rec.Recording.Curl == nil {
		return errNothing
	}
	told, err := curl.Parse(r.rec.Recording.Curl)
	if err != nil {
		return fmt.Errorf("read what curl said: %w", err)
	}
	if told.Status == 0 {
		r.session.print("no answer: %s", told.Failure)
		return nil
	}
	r.session.print("status %d, from %s to %s", told.Status, told.Local, told.Remote)
	return nil
}
