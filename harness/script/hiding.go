package script

import (
	"fmt"

	"github.com/flowproof/lab/internal/redact"
)

// hiding is an Events that hears of a run without its secrets.
type hiding struct{ events Events }

func (h hiding) Begin(s *Scenario)       { h.events.Begin(s) }
func (h hiding) Comment(lines []string)  { h.events.Comment(redact.Value(lines)) }
func (h hiding) Start(command string)    { h.events.Start(redact.Text(command)) }
func (h hiding) Done(step StepResult)    { h.events.Done(redact.Value(step)) }
func (h hiding) Restored(what string)    { h.events.Restored(redact.Text(what)) }
func (h hiding) Note(f string, a ...any) { h.events.Note("%s", redact.Text(fmt.Sprintf(f, a...))) }
func (h hiding) End(result *Result) {
	shown := *result // its raw parts are not shown by anybody who listens
	shown.Reason, shown.Phases = redact.Text(result.Reason), redact.Value(result.Phases)
	h.events.End(&shown)
}
