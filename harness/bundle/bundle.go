// Package bundle keeps everything about one run in a directory: what inference was asked and from
// which dumps, the raw evidence and what was seen in it, and the verdict. A bundle is what is
// handed on when a run is not understood. It can be judged again without the cluster: inferred
// again from its dumps and observed again from its raw evidence, so that nothing it says has to be
// believed. Nothing of it is written before the secrets are taken out.
package bundle

import (
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// Schema is the version of a bundle's layout; it changes only with that layout.
const Schema = "flowproof.dev/bundle/v2"

// oldSchema is the layout before it: it does not keep what inference was asked, nor which parts its
// recording is made of. It is read and judged, and never verified.
const oldSchema = "flowproof.dev/bundle/v1"

// The files of a bundle. Dumps, rules, logs and socket tables are named after their pods.
const (
	manifestFile  = "bundle.json"
	runFile       = "run.json"
	verdictFile   = "verdict.json"
	questionFile  = "question.json"
	recordingFile = "recording.json"
	curlFile      = "curl.txt"
	traceFile     = "trace.jsonl"
	dumpDir       = "dumps"
	dumpAfterDir  = "dumps-after"
	ruleDir       = "rules"
	logDir        = "logs"
)

// Contents are what a bundle holds.
type Contents struct {
	Run       flow.Run
	Verdict   flow.RunVerdict
	Question  infer.Question     // that inference was asked; zero: it was not kept, and it cannot be inferred again
	Recording *observe.Recording // raw evidence; nil: it was not kept
	Dumps     map[string][]byte  // config dumps in JSON that inference read, by "pod.namespace"
	After     map[string][]byte  // config dumps of the same proxies after the request

	Changed []string      // by Read: the files that are not as they were written, with how they differ
	Old     bool          // by Read: it is of the layout before this one
	told    circumstances // by Read: what the recording says of the run
	written time.Time     // by Read: when

	Signer    *Signer // for Write: who signs it; nil: it is not signed
	manifest  []byte  // by Read: bundle.json as it is
	signature []byte  // by Read: of bundle.json; nil: there is none
}

// circumstances are what belongs to a run beside its request and its evidence.
type circumstances struct {
	Backend  string         `json:"backend,omitempty"`
	Accepted []string       `json:"accepted,omitempty"`
	Absences []flow.Absence `json:"absences,omitempty"`
	Touched  []flow.Touch   `json:"touched,omitzero"`
	Reads    []flow.Read    `json:"reads,omitempty"`
}

func circumstancesOf(run flow.Run) circumstances {
	return circumstances{Backend: run.Backend, Accepted: run.Accepted, Absences: run.Absences, Touched: run.Touched,
		Reads: run.Reads}
}

// asked is the question as it is kept.
type asked struct {
	infer.Question
	Dumps map[string]string `json:"dumps"`
}

// recorded is the recording as it is kept.
type recorded struct {
	observe.Recording
	Run   circumstances     `json:"run"`
	Parts map[string]string `json:"parts"`
}

// manifest is the bundle's own description.
type manifest struct {
	Schema  string            `json:"schema"`
	Written time.Time         `json:"written"`
	Files   map[string]string `json:"files"` // SHA-256 of each file by its name
}

// place is where a part of a pod's evidence is kept: in a directory, in a file that is named after
// the pod and ends with suffix.
func place(part string) (dir, suffix string) {
	if part == instrument.LogText {
		return logDir, ".log"
	}
	dir, moment, of := strings.Cut(part, ".")
	if !of {
		return dir, ".txt"
	}
	return dir, "." + moment + ".txt"
}

// podName is what Kubernetes allows in names, so that no name leads out of the bundle. Its
// length is not in the expression: a count is compiled by repetition, and that at each
// start of the command.
var podName = lazyregexp.New(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// longestPodName is a pod's, a dot, and a namespace's.
const longestPodName = 253 + 1 + 63
