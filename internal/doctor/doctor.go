// Package doctor says what this machine has of all that a lab needs, what is missing, and
// the line that mends it. It changes nothing: what it has to try, it tries in namespaces
// that end with the try.
package doctor

import (
	"context"
	"os"
	"sync"

	"github.com/flowproof/lab/internal/components"
)

// Schema is the version of the Report's JSON form.
const Schema = "flowproof.dev/doctor/v1"

// The purposes for which something is needed.
const (
	Lab         = "lab"         // without it no lab comes up
	Build       = "build"       // needed to make the parts; not once they are in the cache
	Instruments = "instruments" // a run does without, and says what it could not observe
	Kind        = "kind"        // for the backend kind only
)

// A Report is the result of all checks.
type Report struct {
	Schema string    `json:"schema"`
	Fit    bool      `json:"fit"`   // a lab can come up here
	Built  bool      `json:"built"` // its parts are in the cache
	Checks []Finding `json:"checks"`
}

// A Finding is the result of one check.
type Finding struct {
	Purpose  string `json:"purpose"`
	Name     string `json:"name"`
	Why      string `json:"why"` // what it is needed for
	OK       bool   `json:"ok"`
	Required bool   `json:"required"`
	Untried  bool   `json:"untried,omitempty"` // only root can try it, so that nothing is known
	Detail   string `json:"detail,omitempty"`  // what was found
	Mend     string `json:"mend,omitempty"`    // what to do, when it is not there
}

// Options say what to leave out.
type Options struct {
	Offline bool // do not ask the registries
}

// A check is one prerequisite. Its find returns what was found, and an error when
// that is not enough.
type check struct {
	purpose string
	name    string
	why     string
	mend    string
	network bool // asks a registry
	root    bool // only root can try it
	find    func(ctx context.Context) (detail string, err error)
}

// Examine makes all checks, at the same time, and returns what they found in the order of the
// table. set are the components of the lab that shall come up.
func Examine(ctx context.Context, set components.Options, opts Options) Report {
	_, err := components.Find(set)
	report := Report{Schema: Schema, Fit: true, Built: err == nil}
	var checks []check
	for _, c := range append(append([]check(nil), table...), prerequisites()...) {
		if !c.network || !opts.Offline {
			checks = append(checks, c)
		}
	}
	report.Checks = make([]Finding, len(checks))
	var group sync.WaitGroup
	for i, c := range checks {
		group.Go(func() { report.Checks[i] = c.examine(ctx, report.Built) })
	}
	group.Wait()
	for _, f := range report.Checks {
		if f.Required && !f.OK && !f.Untried { // root itself is a check, and it is missing then
			report.Fit = false
		}
	}
	return report
}

func (c check) examine(ctx context.Context, built bool) Finding {
	f := Finding{Purpose: c.purpose, Name: c.name, Why: c.why}
	f.Required = c.purpose == Lab || c.purpose == Build && !built
	if c.root && !isRoot() {
		f.Untried, f.Detail = true, "only root can try it"
		return f
	}
	detail, err := c.find(ctx)
	f.OK, f.Detail = err == nil, detail
	if err != nil {
		f.Detail, f.Mend = err.Error(), c.mend
	}
	return f
}

// prerequisites are the checks that the makers of the components bring along.
func prerequisites() []check {
	var checks []check
	for _, p := range components.Prerequisites() {
		if p.Name == "root" {
			continue // the lab itself needs it, so it is in the table
		}
		checks = append(checks, check{purpose: Build, name: p.Name, why: p.Why, mend: p.Mend,
			find: func(context.Context) (string, error) { return "there", p.Check() }})
	}
	return checks
}

// isRoot says whether this process is root's. It is a variable for tests.
var isRoot = func() bool { return os.Geteuid() == 0 }
