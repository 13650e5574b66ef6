// Package trace is the instrument that needs no word from Envoy: BPF programs in the kernel, and on
// the running Envoy itself, tell what happens to a request's bytes. This package reads what they
// told, on any operating system: a Recording is its events in the order of time, and Observe says
// what they prove about one request. Package capture, below it, makes recordings; package order
// tells them as a story and finds orders of events in it.
//
// A recording can be kept as JSON lines (Write) and read again (ReadRecording); the form has a
// version, RecordingSchema.
package trace

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/strict"
)

// A Pod is one that is watched.
type Pod struct {
	Name string     `json:"name"` // "pod.namespace"
	Side flow.Side  `json:"side,omitempty"`
	IP   netip.Addr `json:"ip,omitzero"`
	PIDs []int      `json:"-"` // processes of the pod in this process's own numbering; one is enough
}

// A Recording is everything that the probes told between Start and Stop. It can be kept and
// observed again elsewhere.
type Recording struct {
	Schema string         `json:"schema"` // RecordingSchema
	Pods   []Pod          `json:"pods"`
	Probes []probe.Status `json:"probes"`
	Counts probe.Counts   `json:"counts"`
	// Problem says why something may be missing although nothing was counted as lost.
	Problem string   `json:"problem,omitempty"`
	Envoys  []Inside `json:"envoys,omitempty"` // what the probes on each pod's Envoys can tell
	Events  []Event  `json:"-"`                // in the order of time
}

// Inside says what the probes on the Envoys of one pod can tell: what was proven
// about their binary.
type Inside struct {
	Pod        string    `json:"pod"`
	Since      time.Time `json:"since,omitzero"` // the probes are attached
	BuildID    string    `json:"buildId"`
	Values     []string  `json:"values,omitempty"`
	Statements []string  `json:"statements,omitempty"` // formats of those that are evidence
	Level      Level     `json:"level,omitempty"`      // of the statements that were traced; "": all
	Join       bool      `json:"join,omitempty"`
	// Off says of each probe that is off why.
	Off map[string]string `json:"off,omitempty"`
}

// RecordingSchema is the version of the Recording's JSON form.
const RecordingSchema = "flowproof.dev/trace/v2"

// Write writes the recording as JSON lines: the recording itself, then its events.
func (r *Recording) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write trace: %w", err)
	}
	for i := range r.Events {
		if err := encoder.Encode(&r.Events[i]); err != nil {
			return fmt.Errorf("write trace: %w", err)
		}
	}
	return out.Flush()
}

// maxLineBytes bounds one line of a recording.
const maxLineBytes = 1 << 20

// ReadRecording reads what Write wrote. The error names the line.
func ReadRecording(in io.Reader) (*Recording, error) {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxLineBytes)
	r := &Recording{}
	line := 0
	told := map[string]bool{} // the lines of one time
	for scanner.Scan() {
		line++
		if line == 1 {
			if err := strict.Line(scanner.Bytes(), line, r); err != nil {
				return nil, fmt.Errorf("read trace: %w", err)
			}
			if r.Schema != RecordingSchema {
				return nil, fmt.Errorf("read trace: line 1: schema %q is not %s", r.Schema, RecordingSchema)
			}
			continue
		}
		var e Event
		if err := strict.Line(scanner.Bytes(), line, &e); err != nil {
			return nil, fmt.Errorf("read trace: %w", err)
		}
		if err := r.next(e, scanner.Text(), told); err != nil {
			return nil, fmt.Errorf("read trace: line %d: %w", line, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read trace: line %d: %w", line+1, err)
	}
	if line == 0 {
		return nil, fmt.Errorf("read trace: it is empty")
	}
	return r, nil
}

// next adds an event that was read. Events are written in the order of time, and none twice: what
// is not so was put together afterwards. told are the lines that have the time of the last event.
func (r *Recording) next(e Event, line string, told map[string]bool) error {
	if n := len(r.Events); n > 0 {
		switch last := r.Events[n-1].Time; {
		case e.Time.Before(last):
			return fmt.Errorf("the event is of before the one above it")
		case e.Time.After(last):
			clear(told)
		}
	}
	if told[line] {
		return fmt.Errorf("the event stands above it already")
	}
	told[line] = true
	r.Events = append(r.Events, e)
	return nil
}

// Sort puts the events in order: the ring buffers of several CPUs are not quite.
func (r *Recording) Sort() {
	slices.SortStableFunc(r.Events, func(a, b Event) int { return a.Time.Compare(b.Time) })
}

// inside is what can be told of a pod's Envoys; several of them can tell what all can.
func (r *Recording) inside(pod string) (i Inside) {
	first := true
	for _, of := range r.Envoys {
		switch {
		case of.Pod != pod:
			continue
		case first:
			i, first = of, false
		default:
			i.Values = both(i.Values, of.Values)
			i.Statements = both(i.Statements, of.Statements)
			i.Join = i.Join && of.Join
			i.Level = cmp.Or(i.Level, of.Level)
			i.Off = maps.Clone(i.Off)
			if i.Off == nil {
				i.Off = map[string]string{}
			}
			maps.Copy(i.Off, of.Off)
			if of.Since.After(i.Since) {
				i.Since = of.Since
			}
		}
	}
	return i
}

func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

// Off says of the probes on Envoys that are off why, a line each.
func (r *Recording) Off() []string {
	pods := map[string][]string{}
	for _, i := range r.Envoys {
		for name, why := range i.Off {
			line := name + " is off: " + why
			if !slices.Contains(pods[line], i.Pod) {
				pods[line] = append(pods[line], i.Pod)
			}
		}
	}
	var lines []string
	for _, line := range slices.Sorted(maps.Keys(pods)) {
		lines = append(lines, fmt.Sprintf("in Envoy of %s, %s", strings.Join(pods[line], " and "), line))
	}
	return lines
}

// emitted is how many of the events came from probes; where a connection was dialled before,
// conntrack was asked.
func (r *Recording) emitted() uint64 {
	n := uint64(0)
	for i := range r.Events {
		if r.Events[i].Kind != Redirected {
			n++
		}
	}
	return n
}

// attached says whether a probe was attached, and if not, why.
func (r *Recording) attached(name string) (bool, string) {
	for _, p := range r.Probes {
		if p.Name == name {
			return p.Attached, p.Problem
		}
	}
	return false, "it was not asked for"
}
