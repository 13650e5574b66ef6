package script

import (
	"fmt"
	"runtime"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptT is the testscript.T of a run outside of `go test`. As the testing package does, it runs
// each part in a goroutine of its own, which FailNow and Skip end.
type scriptT struct {
	runner *runner
}

var _ testscript.T = (*scriptT)(nil)

func (t *scriptT) Run(_ string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(t)
	}()
	<-done
}

func (t *scriptT) Skip(args ...any) {
	t.runner.result.Status = Skipped
	t.runner.result.Reason = fmt.Sprint(args...)
	t.runner.step = nil // a skip is told once, as the end
	runtime.Goexit()
}

func (t *scriptT) Fatal(args ...any) {
	t.runner.log += fmt.Sprint(args...)
	t.FailNow()
}

func (t *scriptT) FailNow() {
	t.runner.failed = true
	runtime.Goexit()
}

func (t *scriptT) Log(args ...any) { t.runner.log += fmt.Sprintln(args...) }

// Parallel does nothing: scenarios share one lab and change its log levels.
func (t *scriptT) Parallel() {}

// Verbose keeps the whole log, as the place of a failure is read from it.
func (t *scriptT) Verbose() bool { return false }

// silent is the Events that tell nothing.
type silent struct{}

func (silent) Begin(*Scenario)     {}
func (silent) Comment([]string)    {}
func (silent) Start(string)        {}
func (silent) Done(StepResult)     {}
func (silent) End(*Result)         {}
func (silent) Restored(string)     {}
func (silent) Note(string, ...any) {}
