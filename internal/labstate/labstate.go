// Package labstate has the words for the states of a lab, which its guard tells and every backend
// passes on.
package labstate

// The states of a lab.
const (
	Absent   = "absent"
	Starting = "starting"
	Running  = "running"
	Broken   = "failed"
)
