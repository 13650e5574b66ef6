package infer

import (
	"fmt"

	"github.com/flowproof/lab/harness/flow"
)

// Compare returns how the way of a request changes from one dump to another, or nil when it does not. What counts is
// what is decided at each hop and how the request ends; places in the dump and reasons may differ.
func Compare(before, after *Engine, req flow.Request) (*flow.WayChange, error) {
	was, err := before.Decide(req)
	if err != nil {
		return nil, err
	}
	is, err := after.Decide(req)
	if err != nil {
		return nil, err
	}
	c := &flow.WayChange{Schema: flow.WayChangeSchema, ID: req.ID, Request: req, Before: was, After: is, Hops: changed(was.Hops, is.Hops)}
	if len(c.Hops) == 0 && ending(was) == ending(is) {
		return nil, nil
	}
	return c, nil
}

// ending is how a request ends, and whether that is certain.
func ending(d flow.Decision) string {
	return fmt.Sprint(d.Outcome, d.Failure, d.Flag, d.Status, d.Location)
}

// changed compares two ways hop by hop, by kind: a way has each kind once.
func changed(before, after []flow.Hop) []flow.HopChange {
	var all []flow.HopChange
	now := map[flow.HopKind]flow.Hop{}
	for _, h := range after {
		now[h.Kind] = h
	}
	seen := map[flow.HopKind]bool{}
	for _, was := range before {
		seen[was.Kind] = true
		is := now[was.Kind]
		if what(was) != what(is) {
			all = append(all, flow.HopChange{Kind: was.Kind, Before: what(was), After: what(is), Why: is.Why, Source: is.Source})
		}
	}
	for _, is := range after {
		if !seen[is.Kind] {
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
	return text
}
