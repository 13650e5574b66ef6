package components

import (
	"strings"

	"github.com/flowproof/lab/harness/progress"
)

// A packageCount turns the lines of go build -v, one for each package that is compiled, into a task's progress.
// Packages that come from the build cache have no line; they are counted when the build ends.
type packageCount struct {
	task     progress.Task
	pending  map[string]bool
	total    int64
	compiled int64
}

func newPackageCount(task progress.Task) *packageCount {
	return &packageCount{task: task, pending: map[string]bool{}}
}

// packages says what the build consists of.
func (c *packageCount) packages(paths []string) {
	for _, p := range paths {
		c.pending[p] = true
	}
	c.total = int64(len(c.pending))
	c.task.Total(c.total)
}

// line takes one line of the go command's stderr.
func (c *packageCount) line(line string) {
	if what, ok := strings.CutPrefix(line, "go: downloading "); ok {
		c.task.Note("downloading %s", what)
		return
	}
	if !c.pending[line] {
		return
	}
	delete(c.pending, line)
	c.compiled++
	c.task.Set(c.compiled)
	c.task.Note("%s", line)
}

// finish says that everything is there, compiled or cached.
func (c *packageCount) finish() {
	c.task.Set(c.total)
	c.task.Note("%d of %d packages compiled", c.compiled, c.total)
}
