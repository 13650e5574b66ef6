package flow

import "time"

// State is the verdict on one hop.
type State string

// A hop is confirmed by evidence, refuted by evidence, or not observed. One that inference leaves
// open is learned: what was seen is one of the things that are possible. One is not reached where
// the way broke before it, and an instrument that would have seen it watched and saw nothing.
const (
	Confirmed   State = "confirmed"
	Learned     State = "learned"
	Refuted     State = "refuted"
	NotObserved State = "not observed"
	Unreached   State = "not reached"
)

// States are all verdicts that there are on a hop.
var States = []State{Confirmed, Learned, Refuted, NotObserved, Unreached}

// A HopVerdict is the verdict on one hop of a Path with what it rests on.
type HopVerdict struct {
	Hop      int        `json:"hop"` // index into the Path's hops
	Kind     HopKind    `json:"kind"`
	Side     Side       `json:"side,omitempty"`
	State    State      `json:"state"`
	Reason   string     `json:"reason,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Evidence is one observed value set against the one that was expected.
type Evidence struct {
	Instrument  Instrument `json:"instrument"`
	Fact        string     `json:"fact"`
	Expected    string     `json:"expected"`
	Seen        string     `json:"seen"`
	Agrees      bool       `json:"agrees"`
	Observation int        `json:"observation"` // index into the run's observations; -1: the absence of one
}

// Result is the verdict on a whole run.
type Result string

// A run is verified only when every hop that was reached is confirmed and no instrument lost
// anything. One whose way inference leaves open is consistent at best: what was seen is one of the
// ways that are possible.
const (
	Verified   Result = "verified"
	Consistent Result = "consistent"
	Mismatch   Result = "mismatch"   // at least one hop refuted
	Incomplete Result = "incomplete" // something was lost, or a hop not observed
)

// Results are all verdicts that there are on a run.
var Results = []Result{Verified, Consistent, Mismatch, Incomplete}

// A RunVerdict is the verdict on a run and on each of its hops.
type RunVerdict struct {
	Schema      string   `json:"schema"` // VerdictSchema
	Result      Result   `json:"result"`
	Confirmed   int      `json:"confirmed"`
	Learned     int      `json:"learned,omitempty"`
	Refuted     int      `json:"refuted"`
	NotObserved int      `json:"notObserved"`
	NotReached  int      `json:"notReached,omitempty"` // hops behind the one where the way broke
	Problems    []string `json:"problems,omitempty"`   // why a run is incomplete
	// which instruments were not available, why, and what that costs
	Without []string     `json:"without,omitempty"`
	Taken   int          `json:"taken,omitempty"` // the variant of the path that was taken, from 1; 0: the path itself
	Hops    []HopVerdict `json:"hops"`            // of the way that was taken
}

// TakenPath is the path with the hops of the way that was taken.
func (v *RunVerdict) TakenPath(path Path) Path {
	if v.Taken > 0 && v.Taken <= len(path.Variants) {
		taken := path.Variants[v.Taken-1]
		path.Outcome, path.Failure, path.Flag, path.Hops = taken.Outcome, taken.Failure, taken.Flag, taken.Hops
	}
	return path
}

// VerdictSchema is the version of the RunVerdict's JSON form.
const VerdictSchema = "flowproof.dev/verdict/v1"

// A Run is everything about one request: what was inferred and what was seen. It is what a bundle
// keeps and what verify judges.
type Run struct {
	Schema   string    `json:"schema"` // RunSchema
	Backend  string    `json:"backend,omitempty"`
	Sent     time.Time `json:"sent,omitzero"` // when the request was sent
	Answered time.Time `json:"answered,omitzero"`
	// what the socket tables showed before: ColdPools, WarmPools; "": neither
	Pools string `json:"pools,omitempty"`
	Call  Call   `json:"call"`
	Path  Path   `json:"path"`
	// Untold is in which headers the client says that it sent another request than inference was
	// told.
	Untold       []string      `json:"untold,omitempty"`
	Observations []Observation `json:"observations"`
	Watches      []Watch       `json:"watches"`
	// hops that the run accepts without evidence: server/redirect, or redirect
	Accepted []string  `json:"accepted,omitempty"`
	Absences []Absence `json:"absences,omitempty"` // instruments that could not take part
	// Configuration says of each proxy that was inferred from whether its configuration
	// held at the request.
	Configuration []Configuration `json:"configuration,omitempty"`
	Reads         []Read          `json:"reads,omitempty"`  // what the run read from the proxies' admin interfaces
	Touched       []Touch         `json:"touched,omitzero"` // what the run changed outside itself
}

// What the pools on the way can have been before a request.
const (
	ColdPools = "cold" // no connection was pooled
	WarmPools = "warm" // every worker had one
)

// RunSchema is the version of the Run's JSON form.
const RunSchema = "flowproof.dev/run/v1"
