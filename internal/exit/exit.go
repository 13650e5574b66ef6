// Package exit says with which code the command ends, by the kind of the error that it ends with.
package exit

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The exit codes of the command, for scripts and CI.
const (
	OK          = 0
	Mismatch    = 1   // a hop was refuted
	Usage       = 2   // wrong command line or bad input
	Environment = 3   // the machine or the lab cannot do it
	Incomplete  = 4   // something was not observed, or lost
	Interrupted = 130 // Ctrl-C, as shells report SIGINT
)

// meanings say of each code when the command ends with it, and in other words when a verb that
// judges a run does. Help and README have them from here.
var meanings = []struct {
	code         int
	when, ofARun string
}{
	{OK, "when verified", "when every hop is verified"},
	{Mismatch, "on a mismatch", "when one is refuted"},
	{Usage, "for wrong usage or bad input", ""},
	{Environment, "when the environment does not allow it", ""},
	{Incomplete, "when a run is incomplete", "when something was not observed or lost"},
	{Interrupted, "when it was interrupted", ""},
}

// Sentence says what each code means.
func Sentence() string {
	var all []string
	for _, m := range meanings {
		all = append(all, fmt.Sprintf("%d %s", m.code, m.when))
	}
	return sentence(all)
}

// OfARun says what the codes mean that tell of a run's verdict.
func OfARun() string {
	var all []string
	for _, m := range meanings {
		if m.ofARun != "" {
			all = append(all, fmt.Sprintf("%d %s", m.code, m.ofARun))
		}
	}
	return sentence(all)
}

func sentence(parts []string) string {
	last := len(parts) - 1
	return "The exit code is " + strings.Join(parts[:last], ", ") + ", and " + parts[last] + "."
}

// An Error is an error that knows the exit code it stands for.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the error itself to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Mismatchf is an error that ends the command with Mismatch. The arguments are those of fmt.Errorf.
func Mismatchf(format string, args ...any) error { return wrap(Mismatch, format, args) }

// Usagef is an error that ends the command with Usage. The arguments are those of fmt.Errorf.
func Usagef(format string, args ...any) error { return wrap(Usage, format, args) }

// Environmentf is an error that ends the command with Environment. The arguments are
// those of fmt.Errorf.
func Environmentf(format string, args ...any) error { return wrap(Environment, format, args) }

// Incompletef is an error that ends the command with Incomplete. The arguments are
// those of fmt.Errorf.
func Incompletef(format string, args ...any) error { return wrap(Incomplete, format, args) }

func wrap(code int, format string, args []any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// Code returns the exit code that err stands for: OK for nil, the code of an Error anywhere in its
// chain, Interrupted when the context was cancelled, and Environment for any other, because what
// was not foreseen is the machine's.
func Code(err error) int {
	if err == nil {
		return OK
	}
	if typed, ok := errors.AsType[*Error](err); ok {
		return typed.Code
	}
	if errors.Is(err, context.Canceled) {
		return Interrupted
	}
	return Environment
}
