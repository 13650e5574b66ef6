package script

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/wait"
)

// A Command is one word of the scenario language. The table of all of them is what testscript runs,
// what scenarios/README.md is made from, and what the verbs of `lab` are built on.
type Command struct {
	Name    string `json:"name"`
	Usage   string `json:"usage"`            // the whole line: "dump POD"
	Summary string `json:"summary"`          // one sentence without a full stop
	Detail  string `json:"detail,omitempty"` // paragraphs; may be empty
	// offline says whether a call with these arguments can do without a lab; nil: none can
	offline func(args []string) bool
	changes flow.TouchKind // what it changes in the cluster; "": nothing
	touches touch          // sidecars that another run may have to itself
	// names are those of its arguments that name pods, and the URL that it calls; nil: none does
	names func(args []string) []string
	looks []flow.Instrument // that look by it; those that look by no command look around request
	// hand says what a person types in its place; nothingTyped where there is nothing
	hand hand
	// replay shows what a recorded run has of it; nothingRecorded where that is nothing
	replay func(r *replay, args []string) error
	run    func(s *session, args []string) error
}

// commands is filled by init, because eventually refers to the table that it is part of.
var commands []Command

func init() {
	commands = []Command{
		applyCommand, controlCommand, dumpCommand, eventsCommand, eventuallyCommand, expectCommand, inferCommand,
		killConnectionsCommand, logLevelCommand,
		logsCommand, observeCommand, outsideCommand, poolConnectionsCommand, predictCommand, requestCommand,
		showCommand, socketsCommand, verifyCommand,
		netfilterCommand, restartCommand, statsCommand, taskCommand, traceCommand,
	}
	slices.SortFunc(commands, func(a, b Command) int { return strings.Compare(a.Name, b.Name) })
}

// Commands returns the table of commands, sorted by name.
func Commands() []Command { return slices.Clone(commands) }

// asked are the instruments that look by a command of the table.
func asked() []flow.Instrument {
	var all []flow.Instrument
	for _, c := range commands {
		all = append(all, c.looks...)
	}
	return all
}

// usageError is a wrong call of a command; the caller adds its usage.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func badUsage(message string) error { return usageError{message} }

func asUsage(err error, target *usageError) bool { return errors.As(err, target) }

// retryPause is how long eventually waits between two tries of a command that polls; it is not a
// wait for anything to settle.
const retryPause = 200 * time.Millisecond

var eventuallyCommand = Command{
	Name:    "eventually",
	Usage:   "eventually DURATION COMMAND [ARGUMENT...]",
	Summary: "Repeat one of these commands until it succeeds, for at most DURATION",
	Detail:  "DURATION is a number with a unit, such as 30s. The last error is the command's.",
	hand:    nothingTyped,
	replay:  nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) < 2 {
			return badUsage("it needs a duration and a command")
		}
		limit, err := time.ParseDuration(args[0])
		if err != nil || limit <= 0 {
			return badUsage("the duration " + args[0] + " is not one")
		}
		i := slices.IndexFunc(commands, func(c Command) bool { return c.Name == args[1] })
		if i < 0 || args[1] == "eventually" {
			return badUsage("there is no command " + args[1] + " that can be repeated")
		}
		return s.repeat(limit, commands[i], args[2:])
	},
}

func (s *session) repeat(limit time.Duration, c Command, args []string) error {
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	out := ""
	err := wait.Retry(ctx, retryPause, func() (err error) {
		out, err = s.call(c, args)
		return err
	})
	switch {
	case err == nil:
		return nil
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	}
	s.out.Reset()
	s.out.WriteString(out)
	return err
}

// fromTo reads the arguments "FROM -> TO".
func fromTo(args []string) (from, to string, err error) {
	if len(args) < 3 || args[1] != "->" {
		return "", "", badUsage("write FROM -> TO")
	}
	return args[0], args[2], nil
}
