// Package fault says of an error which kind of fault it is. The packages of this module return
// errors of these kinds: errors.Is(err, fault.Usage) asks for one of them, and Of returns the one
// that counts.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// A Kind is a kind of fault. It is an error, so that errors.Is can ask for it.
type Kind string

// The kinds of faults.
const (
	None        Kind = ""            // there is no error
	Mismatch    Kind = "mismatch"    // what was seen is not what was inferred or asked for
	Usage       Kind = "usage"       // wrong arguments or bad input
	Environment Kind = "environment" // the machine or the cluster cannot do it
	Incomplete  Kind = "incomplete"  // something was not observed, or its evidence was lost
	Interrupted Kind = "interrupted" // the caller gave up
)

func (k Kind) Error() string { return string(k) }

// An Error is an error that knows its kind. Its text is that of Err.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error itself, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's kind.
func (e *Error) Is(target error) bool { return target == error(e.Kind) }

// Mismatchf returns an error of the kind Mismatch. The arguments are those of fmt.Errorf.
func Mismatchf(format string, args ...any) error { return wrap(Mismatch, format, args) }

// Usagef returns an error of the kind Usage. The arguments are those of fmt.Errorf.
func Usagef(format string, args ...any) error { return wrap(Usage, format, args) }

// Environmentf returns an error of the kind Environment. The arguments are those of fmt.Errorf.
func Environmentf(format string, args ...any) error { return wrap(Environment, format, args) }

// Incompletef returns an error of the kind Incomplete. The arguments are those of fmt.Errorf.
func Incompletef(format string, args ...any) error { return wrap(Incomplete, format, args) }

func wrap(kind Kind, format string, args []any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// Of returns the kind of err: None for nil, the kind of the outermost Error in its chain,
// Interrupted where its context was cancelled, and Environment for any other error, because
// what no package foresaw comes from the machine.
func Of(err error) Kind {
	if err == nil {
		return None
	}
	if typed, ok := errors.AsType[*Error](err); ok && typed.Kind != None {
		return typed.Kind
	}
	if errors.Is(err, context.Canceled) {
		return Interrupted
	}
	return Environment
}
