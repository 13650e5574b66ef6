package progress

import "time"

// A Stopwatch collects when stages of a bring-up were reached. It is for one goroutine.
type Stopwatch struct {
	start   time.Time
	Timings []Timing
}

// NewStopwatch starts counting.
func NewStopwatch() *Stopwatch { return &Stopwatch{start: time.Now()} }

// Reached notes that a stage is done.
func (w *Stopwatch) Reached(stage string) {
	w.Timings = append(w.Timings, Timing{Stage: stage, At: time.Since(w.start)})
}

// A Timing says when a stage of bring-up was reached, counted from the start.
type Timing struct {
	Stage string        `json:"stage"`
	At    time.Duration `json:"at"`
}
