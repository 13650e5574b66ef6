package components

import (
	"bufio"
	"io"
	"strings"

	"github.com/flowproof/lab/internal/progress"
)

// A packageCount turns the lines of go build -v, one for each package that is compiled,
// into a task's progress.
type packageCount struct {
	task     progress.Task
	pending  map[string]bool // to be compiled
	cached   int64           // in the build cache
	total    int64
	compiled int64
}

func newPackageCount(task progress.Task) *packageCount {
	return &packageCount{task: task, pending: map[string]bool{}}
}

// What go list says of a package whose compiled form is not in the build cache. All others have
// another reason to be stale, such as not being installed, or none.
const (
	changed = "build ID mismatch"
	stale   = "stale dependency"
)

// packages reads what the build consists of: lines with an import path, a tab, and why it is stale.
func (c *packageCount) packages(list io.Reader) {
	for lines := bufio.NewScanner(list); lines.Scan(); {
		path, reason, _ := strings.Cut(lines.Text(), "\t")
		if strings.HasPrefix(reason, changed) || strings.HasPrefix(reason, stale) {
			c.pending[path] = true
		} else {
			c.cached++
		}
	}
	c.total = int64(len(c.pending))
	c.task.Total(c.total)
	c.compiling()
}

// compiling says what is left when nothing is: the linker says nothing by itself.
func (c *packageCount) compiling() {
	if len(c.pending) == 0 {
		c.task.Note("linking")
	}
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
	c.compiling()
}

// finish says how much there was to do.
func (c *packageCount) finish() {
	c.task.Set(c.total)
	c.task.Note("%d packages compiled, %d from the build cache", c.compiled, c.cached)
}
