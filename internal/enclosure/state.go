package enclosure

import (
	"errors"
	"time"

	"github.com/flowproof/lab/internal/progress"
)

// ErrTaken says that another guard has the enclosure.
var ErrTaken = errors.New("it is already there")

// ErrNoGuard says that the enclosure has no guard.
var ErrNoGuard = errors.New("there is none of that name")

// ErrLost is the cause of a context that ended because the enclosure did.
var ErrLost = errors.New("it ended")

// A State is what a guard tells about its enclosure.
type State struct {
	Version    int               `json:"version"` // counts changes
	State      string            `json:"state"`   // a word of labstate
	Reason     string            `json:"reason,omitempty"`
	InitPID    int               `json:"initPID,omitempty"`
	GuardPID   int               `json:"guardPID"`
	Forward    string            `json:"forward"`        // address on the host's loopback that Init.Forward serves
	Kept       bool              `json:"kept,omitempty"` // there is a kubeconfig
	Kubeconfig string            `json:"-"`              // its path, which follows from the enclosure's name
	Since      time.Time         `json:"since"`
	Stages     []string          `json:"stages,omitempty"`
	Components []Component       `json:"components,omitempty"`
	Timings    []progress.Timing `json:"timings,omitempty"`
}

// A Component runs in the enclosure with a process id of the enclosure's namespace.
type Component struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// Reached says whether a stage is behind it.
func (s State) Reached(stage string) bool {
	for _, reached := range s.Stages {
		if reached == stage {
			return true
		}
	}
	return false
}
