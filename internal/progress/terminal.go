package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// terminal redraws one line for each running task below the lines of the finished ones. mpb moves
// the cursor; what stands in a line is ours.
type terminal struct {
	w      io.Writer
	colour bool

	mu     sync.Mutex
	bars   *mpb.Progress // nil while nothing runs: nothing is drawn, nothing can be lost at exit
	active int
}

func newTerminal(w io.Writer, colour bool) *terminal { return &terminal{w: w, colour: colour} }

// refresh is how often running lines are redrawn.
const refresh = 120 * time.Millisecond

// spinner's frames turn with each redraw.
var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

func (t *terminal) Start(title string) Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bars == nil {
		t.bars = mpb.New(mpb.WithOutput(t.w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(refresh))
	}
	t.active++
	task := &terminalTask{t: t, state: state{title: clean(title), started: time.Now()}}
	task.bar = t.bars.MustAdd(0, mpb.BarFillerFunc(task.draw), mpb.BarFillerTrim())
	return task
}

func (t *terminal) Say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.print(running, clean(fmt.Sprintf(format, args...)))
}

// print writes a line that stays, above the running ones. The caller holds the mutex.
func (t *terminal) print(mark, line string) {
	line = fmt.Sprintf(" %s %s\n", t.paint(mark), line)
	if t.bars != nil {
		t.bars.Write([]byte(line))
		return
	}
	io.WriteString(t.w, line)
}

// SGR sequences of the marks: green, red, blue.
var colours = map[string]string{succeeded: "\x1b[32m", failed: "\x1b[31m", running: "\x1b[34m"}

func (t *terminal) paint(mark string) string {
	if !t.colour {
		return mark
	}
	return colours[mark] + mark + "\x1b[0m"
}

// A terminalTask is one redrawn line.
type terminalTask struct {
	t   *terminal
	bar *mpb.Bar

	mu    sync.Mutex
	state state
	frame int
	once  sync.Once
}

// barWidth is the number of cells of a bar.
const barWidth = 24

// draw writes the task's line, cut to the terminal's width.
func (t *terminalTask) draw(w io.Writer, stat decor.Statistics) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frame++
	parts := []string{" " + string(spinner[t.frame%len(spinner)]) + " " + t.state.title}
	if s := t.state.steps(); s != "" {
		parts = append(parts, cells(t.state.done, t.state.total), s)
	}
	for _, part := range []string{t.state.elapsed(), t.state.note} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	_, err := io.WriteString(w, runewidth.Truncate(strings.Join(parts, "  "), max(stat.AvailableWidth, 1), "…"))
	return err
}

// cells is a bar of barWidth characters.
func cells(done, total int64) string {
	full := int(min(done, total) * barWidth / total)
	return strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
}

func (t *terminalTask) update(f func(*state)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.state)
}

func (t *terminalTask) Total(n int64) { t.update(func(s *state) { s.total = n }) }
func (t *terminalTask) Set(n int64)   { t.update(func(s *state) { s.done = n }) }

func (t *terminalTask) Note(format string, args ...any) {
	t.update(func(s *state) { s.note = clean(fmt.Sprintf(format, args...)) })
}

// Done removes the running line and leaves the finished one. When the last task ends, everything is
// on the terminal before Done returns.
func (t *terminalTask) Done(err error) {
	t.once.Do(func() {
		t.bar.Abort(true)
		t.bar.Wait()
		t.mu.Lock()
		mark, line := t.state.end(err)
		t.mu.Unlock()
		t.t.mu.Lock()
		defer t.t.mu.Unlock()
		t.t.print(mark, line)
		if t.t.active--; t.t.active == 0 {
			t.t.bars.Wait()
			t.t.bars = nil
		}
	})
}
