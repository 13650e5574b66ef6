package probe

import (
	"errors"
	"fmt"
)

// keptProblems is how many of many problems are kept: they are mostly one, and a recording
// has to stay readable.
const keptProblems = 10

// Problems are errors of which there may be as many as there are events. The first ones are kept,
// the others counted.
type Problems struct {
	kept []error
	more int
}

// Add notes an error; nil is none.
func (p *Problems) Add(err error) {
	switch {
	case err == nil:
	case len(p.kept) == keptProblems:
		p.more++
	default:
		p.kept = append(p.kept, err)
	}
}

// Err is all of them in one, a line each; nil where there was none.
func (p *Problems) Err() error {
	if p.more == 0 {
		return errors.Join(p.kept...)
	}
	return errors.Join(errors.Join(p.kept...), fmt.Errorf("and %d more", p.more))
}
