// Package undo takes back what a run changes outside itself, also when the run is killed.
// What is to be undone is written to a list before it is done; small processes of their
// own, the guards, hold copies of the list and work it off when the run ends without having
// done so, be it by SIGKILL.
package undo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// An Action is one thing to undo, in a form that another process can carry out.
type Action struct {
	ID   int             `json:"id"`
	Kind string          `json:"kind"` // which of the Kinds carries it out
	What string          `json:"what"` // for people: "restore log level of fortio-server.mark"
	Args json.RawMessage `json:"args"`
}

// Kinds says how actions of each kind are carried out. Each has to be content when there is nothing
// left to do, because run and guard may both come to it.
type Kinds map[string]func(ctx context.Context, args json.RawMessage) error

// A List holds what a run has to undo. It is safe for use by several goroutines.
type List struct {
	kinds   Kinds
	mu      sync.Mutex
	guards  []*guard // those that live; without any only the run itself undoes
	serial  int
	pending []Action
}

// NewList returns an empty list. guardCommand is the command line of a process that calls Guard
// with the same kinds; when it is empty, or cannot be started, the list works without a guard and
// warn is called with the reason.
func NewList(kinds Kinds, guardCommand []string, warn func(error)) *List {
	list := &List{kinds: kinds}
	if len(guardCommand) == 0 {
		return list
	}
	guards, err := startGuards(guardCommand)
	if err != nil {
		warn(fmt.Errorf("start undo guard: %w (if this process is killed, its changes stay)", err))
		return list
	}
	list.guards = guards
	return list
}

// Add notes an action before what it undoes is done, and returns the function that carries it
// out, once, and takes it off the list. An error means that the action is not on the list and
// nothing may be done yet.
func (l *List) Add(kind, what string, args any) (undo func(context.Context) error, err error) {
	if l.kinds[kind] == nil {
		return nil, fmt.Errorf("note undo of %s: unknown kind %q", what, kind)
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("note undo of %s: %w", what, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	action := Action{ID: l.serial, Kind: kind, What: what, Args: raw}
	l.pending = append(l.pending, action)
	l.tell(message{Add: &action})
	return func(ctx context.Context) error { return l.undo(ctx, action.ID) }, nil
}

// Undo carries out what is on the list, newest first. It goes on after a failure and returns all of
// them; what failed stays on the list for the guard.
func (l *List) Undo(ctx context.Context) error {
	var failures []error
	l.mu.Lock()
	todo := make([]int, 0, len(l.pending))
	for i := len(l.pending) - 1; i >= 0; i-- {
		todo = append(todo, l.pending[i].ID)
	}
	l.mu.Unlock()
	for _, id := range todo {
		failures = append(failures, l.undo(ctx, id))
	}
	return errors.Join(failures...)
}

// Pending returns what is on the list, oldest first.
func (l *List) Pending() []Action {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Action(nil), l.pending...)
}

// Has says whether an action of a kind with these arguments is still on the list.
func (l *List) Has(kind string, args any) bool {
	raw, err := json.Marshal(args)
	l.mu.Lock()
	defer l.mu.Unlock()
	return err == nil && slices.ContainsFunc(l.pending, func(a Action) bool {
		return a.Kind == kind && bytes.Equal(a.Args, raw)
	})
}

// Close lets the guards go. With something left on the list, they try it once more.
func (l *List) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		l.tell(message{End: true})
	}
	var failures []error
	for _, g := range l.guards {
		failures = append(failures, g.wait())
	}
	l.guards = nil
	return errors.Join(failures...)
}

func (l *List) undo(ctx context.Context, id int) error {
	action, ok := l.find(id)
	if !ok {
		return nil
	}
	if err := l.kinds[action.Kind](ctx, action.Args); err != nil {
		return fmt.Errorf("%s: %w", action.What, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range l.pending {
		if a.ID == id {
			l.pending = append(l.pending[:i], l.pending[i+1:]...)
			break
		}
	}
	l.tell(message{Done: id})
	return nil
}

func (l *List) find(id int) (Action, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.pending {
		if a.ID == id {
			return a, true
		}
	}
	return Action{}, false
}

// tell writes to the guards; one that is gone is given up, and the run goes on without it.
// The caller holds mu.
func (l *List) tell(m message) {
	l.guards = slices.DeleteFunc(l.guards, func(g *guard) bool {
		if err := g.tell(m); err != nil {
			_ = g.wait()
			return true
		}
		return false
	})
}
