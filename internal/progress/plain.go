package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// interval is how often a long task says where it is when nothing can be redrawn.
const interval = 10 * time.Second

// plain writes whole lines, for logs and pipes.
type plain struct {
	mu sync.Mutex
	w  io.Writer
}

func newPlain(w io.Writer) *plain { return &plain{w: w} }

func (p *plain) print(mark, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, " %s %s\n", mark, line)
}

func (p *plain) Say(format string, args ...any) {
	p.print(running, clean(fmt.Sprintf(format, args...)))
}

func (p *plain) Start(title string) Task {
	t := &plainTask{p: p, state: state{title: clean(title), started: time.Now()}, ended: make(chan struct{})}
	p.print(running, t.state.title)
	go t.remind()
	return t
}

// A plainTask says every interval where it is, and once that it has ended.
type plainTask struct {
	p     *plain
	mu    sync.Mutex
	state state
	ended chan struct{}
	once  sync.Once
}

func (t *plainTask) remind() {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-t.ended:
			return
		case <-tick.C:
			t.p.print(running, t.line())
		}
	}
}

// line is the title with what is known: steps, what is being done, for how long.
func (t *plainTask) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	line, sep := t.state.title, ": "
	for _, part := range []string{t.state.steps(), t.state.note} {
		if part != "" {
			line, sep = line+sep+part, ", "
		}
	}
	return line + " (" + t.state.elapsed() + ")"
}

func (t *plainTask) update(f func(*state)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.state)
}

func (t *plainTask) Total(n int64) { t.update(func(s *state) { s.total = n }) }
func (t *plainTask) Set(n int64)   { t.update(func(s *state) { s.done = n }) }

func (t *plainTask) Note(format string, args ...any) {
	t.update(func(s *state) { s.note = clean(fmt.Sprintf(format, args...)) })
}

func (t *plainTask) Done(err error) {
	t.once.Do(func() {
		close(t.ended)
		t.mu.Lock()
		mark, line := t.state.end(err)
		t.mu.Unlock()
		t.p.print(mark, line)
	})
}
