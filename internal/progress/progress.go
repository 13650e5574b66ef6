// Package progress says on stderr what is being done and for how long. Work that takes
// under a second leaves one line, longer work a bar or a running clock on a terminal, and
// plain lines elsewhere.
package progress

// A Reporter starts tasks. It is safe for use by several goroutines.
type Reporter interface {
	// Start begins a task whose title is a sentence without a full stop, such as "Building etcd".
	Start(title string) Task
	// Say prints one line that belongs to no task.
	Say(format string, args ...any)
}

// A Task is one piece of work on the way. Done ends it, once.
type Task interface {
	Total(n int64)                   // number of steps, once known; 0: unknown
	Set(n int64)                     // steps done so far
	Note(format string, args ...any) // what is being done now, shown beside the title
	Done(err error)                  // err nil: ✓, else ✗ with the error's first line
}

// Quiet reports nothing.
var Quiet Reporter = quiet{}

type quiet struct{}

func (quiet) Start(string) Task   { return quiet{} }
func (quiet) Say(string, ...any)  {}
func (quiet) Total(int64)         {}
func (quiet) Set(int64)           {}
func (quiet) Note(string, ...any) {}
func (quiet) Done(error)          {}
