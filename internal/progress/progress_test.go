package progress

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// buffer is a writer that several goroutines may use.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestPlainSaysStartProgressAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		p := newPlain(&out)
		task := p.Start("Building etcd")
		task.Total(565)
		time.Sleep(11 * time.Second)
		task.Set(120)
		task.Note("compiling\tgo.etcd.io/raft\x1b[31m")
		time.Sleep(10 * time.Second)
		task.Done(nil)
		task.Done(errors.New("a second end is not an end"))
		p.Start("Linking").Done(nil)
		p.Start("Fetching Envoy").Done(errors.New("hash mismatch\nCommand Output:\n…"))
		want := ` • Building etcd
 • Building etcd: 0/565 (10s)
 • Building etcd: 120/565, compiling go.etcd.io/raft[31m (20s)
 ✓ Building etcd (21s)
 • Linking
 ✓ Linking
 • Fetching Envoy
 ✗ Fetching Envoy: hash mismatch
`
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestTerminalLeavesOneLinePerTask(t *testing.T) {
	var out buffer
	p := newTerminal(&out, false)
	a, b := p.Start("Building etcd"), p.Start("Fetching Envoy")
	a.Total(10)
	a.Set(5)
	p.Say("cache entry %s is damaged", "etcd")
	b.Done(errors.New("refused\nwith more lines"))
	a.Done(nil)
	last := out.String()
	for _, want := range []string{" • cache entry etcd is damaged\n", " ✗ Fetching Envoy: refused\n",
		" ✓ Building etcd\n"} {
		if strings.Count(last, want) != 1 {
			t.Errorf("no single %q in %q", want, last)
		}
	}
	if strings.Contains(last, "\x1b[3") {
		t.Errorf("colours where none are wanted: %q", last)
	}
	p.Start("Again").Done(nil)
	if !strings.Contains(out.String(), " ✓ Again\n") {
		t.Errorf("nothing after the first round: %q", out.String())
	}
}

func TestNewChoosesByTerminal(t *testing.T) {
	for _, c := range []struct {
		term, noColor   string
		terminal, quiet bool
		want            string
	}{
		{"xterm", "", true, false, "terminal with colour"},
		{"xterm", "1", true, false, "terminal"},
		{"dumb", "", true, false, "plain"},
		{"", "", true, false, "plain"},
		{"xterm", "", false, false, "plain"},
		{"xterm", "", true, true, "quiet"},
	} {
		t.Setenv("TERM", c.term)
		t.Setenv("NO_COLOR", c.noColor)
		got := "quiet"
		switch r := New(os.Stderr, c.terminal, c.quiet).(type) {
		case *terminal:
			got = "terminal"
			if r.colour {
				got += " with colour"
			}
		case *plain:
			got = "plain"
		}
		if got != c.want {
			t.Errorf("TERM=%s NO_COLOR=%s terminal=%v quiet=%v: %s, want %s", c.term, c.noColor,
				c.terminal, c.quiet, got, c.want)
		}
	}
}

func TestElapsedIsShownAfterASecond(t *testing.T) {
	for d, want := range map[time.Duration]string{
		300 * time.Millisecond:      "",
		1234 * time.Millisecond:     "1.2s",
		12345678 * time.Microsecond: "12s",
		83 * time.Second:            "1m23s",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := state{started: time.Now()}
			time.Sleep(d)
			if got := s.elapsed(); got != want {
				t.Errorf("after %v: %q, want %q", d, got, want)
			}
		})
	}
}
