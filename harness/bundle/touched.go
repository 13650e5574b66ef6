package bundle

import (
	"regexp"

	"github.com/flowproof/lab/harness/flow"
)

// What a run writes of each kind of thing that it changed outside itself.
const (
	aLevel  = `(?:trace|debug|info|warning|error|critical|off)`
	aLogger = `[^ ,;]+ at ` + aLevel
)

var touchForms = map[flow.TouchKind]*regexp.Regexp{
	flow.TouchConnections: regexp.MustCompile(`^[0-9]+ connections? to [0-9a-f.:\[\]]+ ended$`),
	flow.TouchLogLevel: regexp.MustCompile(`^` + aLevel + ` instead of ` + aLevel + `(?:; ` + aLogger + `(?:, ` +
		aLogger + `)*)?$`),
	flow.TouchLease:   regexp.MustCompile(`^annotation flowproof\.dev/log-levels$`),
	flow.TouchProbes:  regexp.MustCompile(`^BPF programs in the kernel(?: and on its Envoy)?$`),
	flow.TouchRestart: regexp.MustCompile(`^its Envoy was ended, and another started$`),
	flow.TouchObjects: regexp.MustCompile(`^[A-Za-z]+ [^ ]+ in [^ ]*$`),
}

// touched holds what the run says that it changed outside itself against what can
// be changed at all.
func (r *recordingCheck) touched() {
	for _, t := range r.run.Touched {
		switch form := touchForms[t.Kind]; {
		case form == nil:
			r.wrong("touched has the kind %q, and a run changes nothing of it", t.Kind)
		case !form.MatchString(t.What):
			r.wrong("touched says %q of %s, which no run does", t.What, t.Kind)
		case t.Restored && (t.Kind == flow.TouchConnections || t.Kind == flow.TouchRestart):
			r.wrong("touched says that %s are again as they were, and they never are", t.Kind)
		}
	}
}
