package infer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Compare returns how the way of a request changes from one dump to another, or nil when it does
// not. What counts is what is decided at each hop and how the request ends; places in the dump and
// reasons may differ.
func Compare(before, after *Engine, req flow.Request) (*flow.WayChange, error) {
	was, err := before.Decide(req)
	if err != nil {
		return nil, err
	}
	is, err := after.Decide(req)
	if err != nil {
		return nil, err
	}
	c := &flow.WayChange{Schema: flow.WayChangeSchema, ID: req.ID, Request: req, Before: was, After: is,
		Hops: changed(was.Hops, is.Hops)}
	if len(c.Hops) == 0 && ending(was) == ending(is) {
		return nil, nil
	}
	return c, nil
}

// CompareBatch compares the ways of requests, one JSON object a line, and calls each with those
// that change. A line that is no request is a change with an Error, and the others are
// compared; the error at the end is then a *BatchError. It returns how many requests there
// were, and how many change.
func CompareBatch(before, after *Engine, r io.Reader,
	each func(*flow.WayChange) error) (total, changes int, err error) {
	var bad BatchError
	for in := newLines(r); ; {
		line, err := in.next()
		switch {
		case errors.Is(err, io.EOF) && bad.Bad > 0:
			return total, changes, &bad
		case errors.Is(err, io.EOF):
			return total, changes, nil
		case err != nil && !errors.Is(err, errLong):
			return total, changes, fmt.Errorf("line %d: read request: %w", in.number+1, err)
		case err == nil && len(line) == 0:
			continue
		}
		bad.Lines++
		change, err := compareLine(before, after, line, err)
		if err != nil {
			text := fmt.Sprintf("line %d: %v", in.number, err)
			change.Schema, change.Error, change.Hops = flow.WayChangeSchema, text, []flow.HopChange{}
			bad.First = cmp.Or(bad.First, text)
			bad.Bad++
		} else if total++; change != nil {
			changes++
		}
		if change == nil {
			continue
		}
		if err := each(change); err != nil {
			return total, changes, err
		}
	}
}

// compareLine is Compare for a line, unless it has failed already. With an error there is a
// change, for its id.
func compareLine(before, after *Engine, line []byte, failed error) (*flow.WayChange, error) {
	if failed != nil {
		return &flow.WayChange{}, failed
	}
	req, err := before.ReadRequest(line)
	if err != nil {
		return &flow.WayChange{ID: req.ID}, err
	}
	change, err := Compare(before, after, req)
	if err != nil {
		return &flow.WayChange{ID: req.ID}, err
	}
	return change, nil
}

// ending is how a request ends, and whether that is certain.
func ending(d flow.Decision) string {
	return fmt.Sprint(d.Outcome, d.Failure, d.Flag, d.Status, d.Location, d.Certainty, d.Possible, d.Others)
}

// changed compares two ways hop by hop, by kind: a way has each kind once for each connection
// inside of the proxy.
func changed(before, after []flow.Hop) []flow.HopChange {
	var all []flow.HopChange
	type place struct {
		kind   flow.HopKind
		inside int
	}
	now := map[place]flow.Hop{}
	for _, h := range after {
		now[place{h.Kind, h.Inside}] = h
	}
	seen := map[place]bool{}
	for _, was := range before {
		at := place{was.Kind, was.Inside}
		seen[at] = true
		is := now[at]
		if what(was) != what(is) {
			all = append(all, flow.HopChange{Kind: was.Kind, Before: what(was), After: what(is), Why: is.Why,
				Source: is.Source})
		}
	}
	for _, is := range after {
		if !seen[place{is.Kind, is.Inside}] {
			all = append(all, flow.HopChange{Kind: is.Kind, After: what(is), Why: is.Why, Source: is.Source})
		}
	}
	return all
}

// what is decided at a hop, with the shares where it is a set.
func what(h flow.Hop) string {
	text := h.Decision
	for _, c := range h.Choices {
		text += fmt.Sprintf("; %s %.1f %%", c.Name, c.Share*100)
	}
	if len(h.Open) > 0 {
		text += " (open: it depends on " + strings.Join(h.Open, ", ") + ")"
	}
	return text
}
