package infer

import (
	"fmt"
	"io"

	"github.com/flowproof/lab/harness/flow"
)

// A Change is one request whose way is not the same in two dumps.
type Change struct {
	Schema  string        `json:"schema"` // ChangeSchema
	ID      string        `json:"id,omitempty"`
	Request flow.Request  `json:"request"`
	Before  flow.Decision `json:"before"`
	After   flow.Decision `json:"after"`
	Hops    []HopChange   `json:"hops"`
}

// ChangeSchema is the version of the Change's JSON form.
const ChangeSchema = "flowproof.dev/change/v1"

// A HopChange is one hop that differs; a hop that only one way has is empty on the other side.
type HopChange struct {
	Kind   flow.HopKind `json:"kind"`
	Before string       `json:"before"`
	After  string       `json:"after"`
	Why    string       `json:"why,omitempty"` // of the hop afterwards
	Source string       `json:"source,omitempty"`
}

// Compare returns how the way of a request changes from one dump to another, or nil when it does not. What counts is
// what is decided at each hop and how the request ends; places in the dump and reasons may differ.
func Compare(before, after *Engine, req flow.Request) (*Change, error) {
	was, err := before.Decide(req)
	if err != nil {
		return nil, err
	}
	is, err := after.Decide(req)
	if err != nil {
		return nil, err
	}
	c := &Change{Schema: ChangeSchema, ID: req.ID, Request: req, Before: was, After: is, Hops: changed(was.Hops, is.Hops)}
	if len(c.Hops) == 0 && ending(was) == ending(is) {
		return nil, nil
	}
	return c, nil
}

func ending(d flow.Decision) string {
	return endingText(d.Outcome, d.Failure, d.Flag, d.Status, d.Location)
}

// changed compares two ways hop by hop, by kind: a way has each kind once.
func changed(before, after []flow.Hop) []HopChange {
	var all []HopChange
	now := map[flow.HopKind]flow.Hop{}
	for _, h := range after {
		now[h.Kind] = h
	}
	seen := map[flow.HopKind]bool{}
	for _, was := range before {
		seen[was.Kind] = true
		is := now[was.Kind]
		if what(was) != what(is) {
			all = append(all, HopChange{Kind: was.Kind, Before: what(was), After: what(is), Why: is.Why, Source: is.Source})
		}
	}
	for _, is := range after {
		if !seen[is.Kind] {
			all = append(all, HopChange{Kind: is.Kind, After: what(is), Why: is.Why, Source: is.Source})
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

// WriteChange writes a change to be read, in 100 columns.
func WriteChange(w io.Writer, c *Change) error {
	t := &textWriter{w: w}
	r := c.Request
	t.wrap(0, 2, fmt.Sprintf("%s %s %s %s to %s", orNone(c.ID), first(r.Method, "GET"), r.Authority, first(r.Path, "/"),
		r.Address+":"+portText(r.Port)))
	for _, h := range c.Hops {
		t.labelled(string(h.Kind), "- "+orNone(h.Before))
		t.wrap(textColumn, textColumn+2, "+ "+orNone(h.After))
		t.wrap(textColumn+2, textColumn+2, h.Why)
	}
	if was, is := ending(c.Before), ending(c.After); was != is {
		t.labelled("outcome", "- "+was)
		t.wrap(textColumn, textColumn+2, "+ "+is)
	}
	t.line("")
	return t.err
}
