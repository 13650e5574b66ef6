package report

import (
	"encoding/json"
	"io"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
)

// Schema is the version of the Document's JSON form; it changes only with that form.
const Schema = "flowproof.dev/report/v1"

// A Document is a run and its verdict in one: each hop with what was inferred, what was seen
// and what was judged.
type Document struct {
	Schema      string       `json:"schema"`
	Backend     string       `json:"backend,omitempty"`
	Call        flow.Call    `json:"call"`
	Outcome     flow.Outcome `json:"outcome,omitempty"`
	Failure     flow.Failure `json:"failure,omitempty"`
	Flag        string       `json:"flag,omitempty"`
	Answer      flow.Answer  `json:"answer"`
	Result      flow.Result  `json:"result"`
	Summary     string       `json:"summary"`
	Confirmed   int          `json:"confirmed"`
	Learned     int          `json:"learned,omitempty"`
	Refuted     int          `json:"refuted"`
	NotObserved int          `json:"notObserved"`
	NotReached  int          `json:"notReached,omitempty"` // hops behind the one where the way broke
	Problems    []string     `json:"problems,omitempty"`
	Accepted    []string     `json:"accepted,omitempty"` // hops that are accepted without evidence
	Without     []string     `json:"without,omitempty"`
	Hops        []Hop        `json:"hops"`
	Watches     []flow.Watch `json:"watches"`
}

// A Hop is one hop of the Document.
type Hop struct {
	flow.Hop
	State    flow.State      `json:"state"`
	Reason   string          `json:"reason,omitempty"`
	Evidence []flow.Evidence `json:"evidence"`
}

// NewDocument joins a run and its verdict.
func NewDocument(run flow.Run, verdict flow.RunVerdict) Document {
	run.Path = verdict.TakenPath(run.Path)
	d := Document{Schema: Schema, Backend: run.Backend, Call: redactCall(run.Call), Outcome: run.Path.Outcome,
		Failure: run.Path.Failure,
		Flag:    run.Path.Flag, Answer: verify.Answered(run), Result: verdict.Result, Summary: verify.Summary(verdict),
		Confirmed: verdict.Confirmed, Learned: verdict.Learned,
		Refuted: verdict.Refuted, NotObserved: verdict.NotObserved, NotReached: verdict.NotReached,
		Problems: verdict.Problems, Accepted: run.Accepted,
		Without: verdict.Without, Hops: []Hop{}, Watches: run.Watches}
	if d.Watches == nil {
		d.Watches = []flow.Watch{}
	}
	for _, v := range verdict.Hops {
		hop := Hop{Hop: hopOf(run, v), State: v.State, Reason: v.Reason, Evidence: v.Evidence}
		if hop.Evidence == nil {
			hop.Evidence = []flow.Evidence{}
		}
		d.Hops = append(d.Hops, hop)
	}
	return d
}

// JSON writes the Document of a run and its verdict.
func JSON(w io.Writer, run flow.Run, verdict flow.RunVerdict) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(NewDocument(run, verdict))
}
