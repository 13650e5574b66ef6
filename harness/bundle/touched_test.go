package bundle

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// TestTouched is the table of what a run may say that it changed outside itself.
func TestTouched(t *testing.T) {
	for _, c := range []struct {
		touch flow.Touch
		right bool
	}{
		{flow.Touch{Kind: flow.TouchConnections, What: "1 connection to 10.0.0.1:8080 ended"}, true},
		{flow.Touch{Kind: flow.TouchConnections, What: "12 connections to [fd00::1]:8080 ended"}, true},
		{flow.Touch{Kind: flow.TouchConnections, What: "1 connection to 10.0.0.1:8080 ended", Restored: true}, false},
		{flow.Touch{Kind: flow.TouchLogLevel, What: "debug instead of warning", Restored: true}, true},
		{flow.Touch{Kind: flow.TouchLogLevel, What: "trace instead of warning; http at debug, misc at error"}, true},
		{flow.Touch{Kind: flow.TouchLogLevel, What: "debug instead of warning; misc at errorx"}, false},
		{flow.Touch{Kind: flow.TouchLogLevel, What: "nothing"}, false},
		{flow.Touch{Kind: flow.TouchLease, What: "annotation flowproof.dev/log-levels", Restored: true}, true},
		{flow.Touch{Kind: flow.TouchLease, What: "annotation flowproof.dev/other", Restored: true}, false},
		{flow.Touch{Kind: flow.TouchProbes, What: "BPF programs in the kernel", Restored: true}, true},
		{flow.Touch{Kind: flow.TouchProbes, What: "BPF programs in the kernel and on its Envoy", Restored: true}, true},
		{flow.Touch{Kind: flow.TouchProbes, What: "", Restored: true}, false},
		{flow.Touch{Kind: flow.TouchRestart, What: "its Envoy was ended, and another started"}, true},
		{flow.Touch{Kind: flow.TouchRestart, What: "its Envoy was ended, and another started", Restored: true}, false},
		{flow.Touch{Kind: flow.TouchObjects, What: "VirtualService open-lua in mark", Restored: true}, true},
		{flow.Touch{Kind: flow.TouchObjects, What: "all of them", Restored: true}, false},
		{flow.Touch{Kind: "disks", What: "VirtualService open-lua in mark", Restored: true}, false},
	} {
		all := []flow.Touch{c.touch}
		if c.touch.Kind == flow.TouchLogLevel { // for which the sidecar is held
			lease := flow.Touch{Kind: flow.TouchLease, What: "annotation flowproof.dev/log-levels", Restored: true}
			all = append(all, lease)
		}
		r := &recordingCheck{run: flow.Run{Touched: all}}
		if r.touched(); (len(r.problems) == 0) != c.right {
			t.Errorf("%+v: %q", c.touch, r.problems)
		}
	}
}

// TestTouchedTwice holds that the run and its recording say the same of what was changed.
func TestTouchedTwice(t *testing.T) {
	c := recordedBy(t, "outbound")
	if len(c.Run.Touched) == 0 {
		t.Fatal("nothing was touched")
	}
	for name, change := range map[string]func(all []flow.Touch) []flow.Touch{
		"not restored": func(all []flow.Touch) []flow.Touch { all[0].Restored = false; return all },
		"of another":   func(all []flow.Touch) []flow.Touch { all[0].Pod = "another.mark"; return all },
		"left out":     func(all []flow.Touch) []flow.Touch { return all[1:] },
		"nothing":      func([]flow.Touch) []flow.Touch { return nil },
	} {
		run := c.Run
		run.Touched = change(slices.Clone(run.Touched))
		if len(said(recordingFile, "/run", c.told, circumstancesOf(run), "")) == 0 {
			t.Errorf("%s: the recording does not contradict it", name)
		}
	}
}

// TestReadAgain holds that a table is read once more only of a client with a pool.
func TestReadAgain(t *testing.T) {
	table := recordedBy(t, "outbound").Recording.Client.Part(instrument.SocketsAfter)
	pod := func(name string, after, again []byte) observe.Pod {
		p := observe.Pod{Name: name}
		p.Keep(instrument.SocketsAfter, after)
		if again != nil {
			p.Keep(instrument.SocketsAgain, again)
		}
		return p
	}
	none := []byte("LISTEN 0 4096 0.0.0.0:15001 0.0.0.0:*\n")
	for name, c := range map[string]struct {
		client, server observe.Pod
		right          bool
	}{
		"of a pool":     {pod("a", table, table), pod("b", table, nil), true},
		"not at all":    {pod("a", none, nil), pod("b", table, nil), true},
		"empty":         {pod("a", table, []byte{}), pod("b", table, nil), false},
		"without pool":  {pod("a", none, none), pod("b", table, nil), false},
		"of the server": {pod("a", table, table), pod("b", table, table), false},
	} {
		r := &recordingCheck{Recording: observe.Recording{Client: c.client, Server: c.server}}
		if r.again(); (len(r.problems) == 0) != c.right {
			t.Errorf("%s: %q", name, r.problems)
		}
	}
}
