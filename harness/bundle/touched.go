package bundle

import (
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// What a run writes of each kind of thing that it changed outside itself.
const (
	aLevel  = `(?:trace|debug|info|warning|error|critical|off)`
	aLogger = `[^ ,;]+ at ` + aLevel
)

var touchForms = map[flow.TouchKind]*lazyregexp.Regexp{
	flow.TouchConnections: lazyregexp.New(`^[0-9]+ connections? to [0-9a-f.:\[\]]+ ended$`),
	flow.TouchLogLevel: lazyregexp.New(`^` + aLevel + ` instead of ` + aLevel + `(?:; ` + aLogger + `(?:, ` +
		aLogger + `)*)?$`),
	flow.TouchLease:   lazyregexp.New(`^annotation flowproof\.dev/log-levels$`),
	flow.TouchProbes:  lazyregexp.New(`^BPF programs in the kernel(?: and on its Envoy)?$`),
	flow.TouchRestart: lazyregexp.New(`^its Envoy was ended, and another started$`),
	flow.TouchObjects: lazyregexp.New(`^[A-Za-z]+ [^ ]+ in [^ ]*$`),
}

// touched holds what the run says that it changed outside itself against what can be changed at
// all, and against what was recorded.
func (r *recordingCheck) touched() {
	said := map[flow.Touch]bool{}
	for _, t := range r.run.Touched {
		switch form := touchForms[t.Kind]; {
		case form == nil:
			r.wrong("touched has the kind %q, and a run changes nothing of it", t.Kind)
		case !form.MatchString(t.What):
			r.wrong("touched says %q of %s, which no run does", t.What, t.Kind)
		case t.Restored && (t.Kind == flow.TouchConnections || t.Kind == flow.TouchRestart):
			r.wrong("touched says that %s are again as they were, and they never are", t.Kind)
		}
		of := flow.Touch{Kind: t.Kind, Pod: t.Pod}
		if t.Kind == flow.TouchObjects {
			of.What = t.What
		}
		if said[of] && t.Kind != flow.TouchConnections { // which may be ended more than once
			r.wrong("touched says %s of %s twice", t.Kind, first(t.Pod, t.What))
		}
		said[of] = true
	}
	for _, t := range r.run.Touched {
		if t.Kind == flow.TouchLogLevel && !said[flow.Touch{Kind: flow.TouchLease, Pod: t.Pod}] {
			r.wrong("touched says that the log level of %s was another one, and not that it was held for that", t.Pod)
		}
	}
	r.probed(said)
}

// probed holds that eBPF's programs were on those pods that its recording is of, and on no others.
func (r *recordingCheck) probed(said map[flow.Touch]bool) {
	if r.Trace == nil {
		return // it was not kept
	}
	traced := map[string]bool{}
	for _, pod := range r.Trace.Pods {
		traced[pod.Name] = true
		if !said[flow.Touch{Kind: flow.TouchProbes, Pod: pod.Name}] {
			r.wrong("eBPF watched %s, and touched does not say so", pod.Name)
		}
	}
	for _, t := range r.run.Touched {
		if t.Kind == flow.TouchProbes && !traced[t.Pod] {
			r.wrong("touched says that eBPF watched %s, and its recording is not of it", t.Pod)
		}
	}
}
