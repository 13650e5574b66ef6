package flow

// A RunDifference says how two runs differ, and which difference decides the others: the first in
// the order of Part.
type RunDifference struct {
	Schema string `json:"schema"` // RunDifferenceSchema
	Same   bool   `json:"same"`
	// the part that differs first, and so decides what follows
	First   Part              `json:"first,omitempty"`
	Decides string            `json:"decides"` // what it is, in one line
	Request []FieldDifference `json:"request,omitempty"`
	// of each proxy on the way, from the first run to the second
	Configuration []Configuration      `json:"configuration,omitempty"`
	Way           []RunHopDifference   `json:"way,omitempty"`     // what was inferred
	Outcome       *FieldDifference     `json:"outcome,omitempty"` // how it was inferred to end
	Seen          []SeenDifference     `json:"seen,omitempty"`    // what was observed
	Answer        *FieldDifference     `json:"answer,omitempty"`  // what the client was told
	Verdict       *FieldDifference     `json:"verdict,omitempty"`
	Hops          []VerdictDifference  `json:"hops,omitempty"` // whose verdict differs
	Sides         [2]RunDifferenceSide `json:"runs"`
}

// RunDifferenceSchema is the version of the RunDifference's JSON form.
const RunDifferenceSchema = "flowproof.dev/run-difference/v1"

// A RunDifferenceSide is one of the two runs.
type RunDifferenceSide struct {
	Name     string   `json:"name"` // its bundle
	Call     string   `json:"call"`
	Answer   string   `json:"answer"`
	Result   Result   `json:"result"`
	Problems []string `json:"problems,omitempty"`
}

// A Part of a run, in the order in which one follows from another.
type Part string

// The parts of a run.
const (
	PartRequest       Part = "request"
	PartConfiguration Part = "configuration"
	PartWay           Part = "way"
	PartSeen          Part = "observations"
	PartAnswer        Part = "answer"
	PartVerdict       Part = "verdict"
)

// A FieldDifference is one value that the runs do not share. An empty one is none.
type FieldDifference struct {
	Field string `json:"field"`
	A     string `json:"a"`
	B     string `json:"b"`
}

// A RunHopDifference is one hop whose decision differs; a hop that only one way has is empty on the
// other side.
type RunHopDifference struct {
	Side Side    `json:"side,omitempty"`
	Kind HopKind `json:"kind"`
	A    string  `json:"a"`
	B    string  `json:"b"`
	WhyA string  `json:"whyA,omitempty"`
	WhyB string  `json:"whyB,omitempty"`
}

// A SeenDifference is one fact of which the runs saw other values.
type SeenDifference struct {
	Side        Side         `json:"side,omitempty"`
	Kind        HopKind      `json:"kind"`
	Fact        string       `json:"fact"`
	A           []string     `json:"a"`
	B           []string     `json:"b"`
	Instruments []Instrument `json:"instruments"` // that saw it in either
}

// A VerdictDifference is one hop whose verdict differs.
type VerdictDifference struct {
	Side    Side    `json:"side,omitempty"`
	Kind    HopKind `json:"kind"`
	A       State   `json:"a,omitempty"`
	B       State   `json:"b,omitempty"`
	ReasonA string  `json:"reasonA,omitempty"`
	ReasonB string  `json:"reasonB,omitempty"`
}
