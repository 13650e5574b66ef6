package sometimes

import "github.com/flowproof/lab/harness/flow"

// Phases are what a command is doing while a process is killed.
var Phases = []string{"up", "run", "trace", "verify", "down"}

// Victims are the classes of processes that are killed, one or two at once, or all.
var Victims = []string{"command", "guard", "init", "sweeper", "component", "container", "undo guard", "all"}

// Possible says whether a process of a class can be there, and be the phase's own, when it is
// killed: only what sends a request has something to undo, and judging a kept run needs no lab.
func Possible(phase, victim string) bool {
	switch {
	case phase == "verify":
		return victim == "command"
	case victim == "undo guard":
		return phase == "run" || phase == "trace"
	}
	return true
}

// Catalogue names every case that a nightly run has to come to, sooner or later. Each of the
// instruments, which are given by their names, has its own.
func Catalogue(instruments []string) []string {
	all := []string{
		// Ends of an enclosure, and who cleans up.
		"enclosure: the guard cleans up after its init",
		"enclosure: the sweeper sweeps", "enclosure: the sweeper is replaced",
		"enclosure: the owner ended before it was ready",
		"enclosure: a component ended", "enclosure: the name is taken", "enclosure: what is left is swept",
		// Taking back what a run changed.
		"undo: the chief works the list off", "undo: the deputy works the list off", "undo: an action fails",
		// Errors of up and down.
		"up: the owner finds its guard gone", "up: the init reports an error", "down: the guard does not answer",
		"removal: something is mounted below",
	}
	for _, r := range flow.Results {
		all = append(all, "verdict "+string(r))
	}
	for _, s := range flow.States {
		all = append(all, "hop "+string(s))
	}
	for _, i := range instruments {
		all = append(all, "incomplete "+i, "abstains "+i)
	}
	for _, phase := range Phases {
		for _, victim := range Victims {
			if Possible(phase, victim) {
				all = append(all, Kill(phase, victim))
			}
		}
	}
	return all
}

// Kill is the name of a kill.
func Kill(phase, victim string) string { return "kill " + victim + " in " + phase }
