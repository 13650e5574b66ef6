//go:build linux

package enclosure

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/flowproof/lab/internal/labstate"
)

func TestBoardWakesThoseWhoWait(t *testing.T) {
	b := newBoard()
	got := make(chan State)
	go func() { got <- b.after(context.Background(), 0) }()
	b.set(func(s *State) { s.Stages = append(s.Stages, "node prepared") })
	select {
	case s := <-got:
		if !s.Reached("node prepared") || s.Reached("quiet") || s.State != labstate.Starting {
			t.Errorf("state %+v", s)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no waiter was woken")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if s := b.after(ctx, 99); s.Version != 1 {
		t.Errorf("version %d after the wait was given up, want 1", s.Version)
	}
}

func TestLastLines(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"a\nb\nc\n", 2, "    b\n    c"},
		{"a", 2, "    a"},
		{"", 2, "    "},
	} {
		if got := lastLines(tt.text, tt.n); got != tt.want {
			t.Errorf("lastLines(%q, %d) = %q, want %q", tt.text, tt.n, got, tt.want)
		}
	}
}

func TestReaperReportsOwnChildrenAndCollectsOrphans(t *testing.T) {
	r := newReaper()
	pid, exit, err := r.start("/bin/sh", []string{"sh", "-c", "exit 7"}, &os.ProcAttr{Files: []*os.File{nil, nil, nil}})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	for {
		r.collectOnly(pid)
		select {
		case status := <-exit:
			if got := describeExit(status); got != "exit status 7" {
				t.Errorf("the child's end is %q", got)
			}
			return
		case <-deadline:
			t.Fatal("the child's end was not reported")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestDescribeExit(t *testing.T) {
	for status, want := range map[syscall.WaitStatus]string{
		0: "exit status 0", 3 << 8: "exit status 3", 9: "killed by signal 9 (killed)",
	} {
		if got := describeExit(status); got != want {
			t.Errorf("describeExit(%#x) = %q, want %q", status, got, want)
		}
	}
}
