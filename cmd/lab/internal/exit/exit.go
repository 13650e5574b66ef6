// Package exit says with which code the command ends, by the kind of the error that it ends with.
package exit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/fault"
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

// meanings say of each code for which kind of error it stands, when the command ends with it, and
// in other words when a verb that judges a run does. Help and README have them from here.
var meanings = []struct {
	code         int
	kind         fault.Kind
	when, ofARun string
}{
	{OK, fault.None, "when verified", "when every hop is verified"},
	{Mismatch, fault.Mismatch, "on a mismatch", "when one is refuted"},
	{Usage, fault.Usage, "for wrong usage or bad input", ""},
	{Environment, fault.Environment, "when the environment does not allow it", ""},
	{Incomplete, fault.Incomplete, "when a run is incomplete", "when something was not observed or lost"},
	{Interrupted, fault.Interrupted, "when it was interrupted", ""},
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

// An Error is the error of a program that the command ran, with whose exit code it ends.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the error itself to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Code returns the exit code that err stands for: that of an Error anywhere in its chain, else the
// one of its kind.
func Code(err error) int {
	if typed, ok := errors.AsType[*Error](err); ok {
		return typed.Code
	}
	kind := fault.Of(err)
	for _, m := range meanings {
		if m.kind == kind {
			return m.code
		}
	}
	return Environment
}
