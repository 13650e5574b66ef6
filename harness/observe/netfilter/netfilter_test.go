package netfilter

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

func text(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func snapshot(t testing.TB, rules, conntrack string) Snapshot {
	t.Helper()
	s := Snapshot{Tracks: true}
	var err error
	if s.Rules, err = ParseRules(strings.NewReader(rules)); err != nil {
		t.Fatal(err)
	}
	if s.Tracked, err = ParseConntrack(strings.NewReader(conntrack)); err != nil {
		t.Fatal(err)
	}
	return s
}

// window is one pod's netfilter before and after the request of the test data, which two real
// pods of one run give.
type window struct{ rulesBefore, rulesAfter, trackedBefore, trackedAfter string }

func real(t testing.TB, side flow.Side) window {
	t.Helper()
	s := string(side)
	return window{text(t, s+"-before-rules.txt"), text(t, s+"-after-rules.txt"), text(t, s+"-before-conntrack.txt"),
		text(t, s+"-after-conntrack.txt")}
}

func (w window) observe(t testing.TB, side flow.Side) ([]flow.Observation, flow.Watch) {
	t.Helper()
	return Observe(snapshot(t, w.rulesBefore, w.trackedBefore), snapshot(t, w.rulesAfter, w.trackedAfter),
		Selection{Pod: "a.b", Side: side})
}

func facts(all []flow.Observation) string {
	var out []string
	for _, o := range all {
		for _, f := range o.Facts {
			out = append(out, f.Name+"="+f.Value)
		}
	}
	return strings.Join(out, " ")
}

func TestObserve(t *testing.T) {
	for side, want := range map[flow.Side]string{
		flow.Client: "redirect.port=15001 original.dst=10.96.215.136:8080 downstream.peer=172.21.206.198:38800 " +
			"redirect.port=15001",
		flow.Server: "redirect.port=15006 original.dst=172.21.206.197:8080 downstream.peer=172.21.206.198:42680 " +
			"redirect.port=15006",
	} {
		seen, w := real(t, side).observe(t, side)
		if got := facts(seen); got != want || !w.Complete || w.Side != side || w.Pod != "a.b" {
			t.Errorf("%s: %s, want %s; watch %+v", side, got, want, w)
		}
		for _, o := range seen {
			for _, f := range o.Facts {
				if !slices.ContainsFunc(w.Sees, func(c flow.Capability) bool {
					return c.Kind == o.Kind && c.Fact == f.Name
				}) || o.Raw == "" {
					t.Errorf("%s %s is seen by an instrument that does not say it can", o.Kind, f.Name)
				}
			}
		}
	}
}

// TestTranslatedPort has the kernel give the connection another port, as it does
// where its own is taken.
func TestTranslatedPort(t *testing.T) {
	w := real(t, flow.Client)
	w.trackedAfter = strings.ReplaceAll(w.trackedAfter, "sport=15001 dport=38800", "sport=15001 dport=17375")
	seen, _ := w.observe(t, flow.Client)
	if got, want := facts(seen), "peer.translated=172.21.206.198:38800 → 172.21.206.198:17375"; !strings.Contains(got,
		want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestEdited changes the real windows: what cannot be told must be said to be so.
func TestEdited(t *testing.T) {
	swap := func(text *string, old, new string) {
		if !strings.Contains(*text, old) {
			t.Fatalf("the test data do not hold %q", old)
		}
		*text = strings.Replace(*text, old, new, 1)
	}
	redirect := func(packets string) string {
		return "[" + packets + "] -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001"
	}
	for _, c := range []struct {
		name    string
		edit    func(*window)
		side    flow.Side
		seen    string // part of it
		none    string // must not be seen
		problem string
	}{
		{"two connections out", func(w *window) {
			swap(&w.rulesAfter, redirect("2:120"), redirect("3:180"))
		}, flow.Client,
			"original.dst=10.96.215.136:8080", "",
			`"-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001" by 2 went up`},
		{"no connection", func(w *window) { w.rulesAfter, w.trackedAfter = w.rulesBefore, w.trackedBefore },
			flow.Client, "", "redirect", ""},
		{"none is tracked any more", func(w *window) { w.trackedAfter = "" }, flow.Client, "redirect.port=15001",
			"original.dst", ""},
		{"two are tracked", func(w *window) {
			w.trackedAfter += "tcp 6 1 ESTABLISHED src=10.0.0.1 dst=10.96.0.9 sport=5 dport=80 src=127.0.0.1 " +
				"dst=10.0.0.1 sport=15001 dport=5\n"
		}, flow.Client, "redirect.port=15001", "original.dst", "2 new connections were redirected"},
		{"a connection into the client's pod", func(w *window) {
			swap(&w.rulesAfter, "[0:0] -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT",
				"[1:60] -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT")
			swap(&w.rulesAfter, "[0:0] -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT",
				"[1:60] -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT")
			w.trackedAfter += "tcp 6 1 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=5 dport=80 src=10.0.0.2 " +
				"dst=10.0.0.1 sport=15006 dport=5\n"
		}, flow.Client, "original.dst=10.96.215.136:8080", "15006", ""},
		{"counters were reset", func(w *window) { swap(&w.rulesAfter, redirect("2:120"), redirect("0:0")) },
			flow.Client, "", "redirect.port=15001 original", "the counters were reset"},
		{"rules were changed", func(w *window) { swap(&w.rulesAfter, "--to-ports 15001", "--to-ports 15002") },
			flow.Client, "", "", "the rules were changed"},
		{"a rule was added", func(w *window) {
			swap(&w.rulesAfter, "COMMIT", "[0:0] -A ISTIO_OUTPUT -j RETURN\nCOMMIT")
		}, flow.Client, "", "", "the rules were changed"},
		{"a dial of the port itself is not translated", func(w *window) {
			w.rulesAfter = w.rulesBefore
			w.trackedAfter = "tcp 6 1 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=5 dport=15006 src=10.0.0.2 " +
				"dst=10.0.0.1 sport=15006 dport=5\n"
		}, flow.Server, "original.dst=10.0.0.2:15006 downstream.peer=10.0.0.1:5", "redirect.port", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := real(t, c.side)
			c.edit(&w)
			seen, watch := w.observe(t, c.side)
			got := facts(seen)
			if !strings.Contains(got, c.seen) || c.none != "" && strings.Contains(got, c.none) {
				t.Errorf("saw %q, want %q and not %q", got, c.seen, c.none)
			}
			if said := watch.Problem + watch.Abstains; watch.Complete != (watch.Problem == "") ||
				(said == "") != (c.problem == "") || !strings.Contains(said, c.problem) {
				t.Errorf("says %q, want %q", said, c.problem)
			}
		})
	}
	w := real(t, flow.Server)
	before, after := snapshot(t, w.rulesBefore, ""), snapshot(t, w.rulesAfter, "")
	before.Tracks = false
	if _, watch := Observe(before, after, Selection{Side: flow.Server}); len(watch.Sees) != 1 || !watch.Complete {
		t.Errorf("without connection tracking: %+v", watch)
	}
}

// TestNoRules reads a pod without rules, or whose rules another program keeps: nothing can be told,
// not even that nothing was redirected.
func TestNoRules(t *testing.T) {
	w := real(t, flow.Client)
	before, after := snapshot(t, "", w.trackedBefore), snapshot(t, "*nat\nCOMMIT\n", w.trackedAfter)
	if seen, watch := Observe(before, after, Selection{Side: flow.Client}); len(seen)+len(watch.Sees) > 0 ||
		!watch.Complete {
		t.Errorf("%s; %+v", facts(seen), watch)
	}
}

// TestSharedChain has connections of both hooks in one chain: the jumps from the hook's own
// chains tell them apart.
func TestSharedChain(t *testing.T) {
	table := func(in, out, redirected string) []Rule {
		rules, err := ParseRules(strings.NewReader("*nat\n[9:9] -A PREROUTING -j IN\n[9:9] -A OUTPUT -j OUT\n[" + in +
			":1] -A IN -p tcp -j BOTH\n[" +
			out + ":1] -A OUT -o lo -j BOTH\n[" + redirected + ":1] -A BOTH -p tcp -j REDIRECT --to-ports " +
			"15006\nCOMMIT\n"))
		if err != nil {
			t.Fatal(err)
		}
		return rules
	}
	for _, c := range []struct {
		name                string
		in, out, redirected string
		client, server      string
		sure                bool
	}{
		{"one in", "1", "0", "1", "", "redirect.port=15006", true},
		{"one out", "0", "1", "1", "redirect.port=15006", "", true},
		{"one each", "1", "1", "2", "redirect.port=15006", "redirect.port=15006", true},
		{"they do not add up", "1", "1", "1", "", "", false},
	} {
		for side, want := range map[flow.Side]string{flow.Client: c.client, flow.Server: c.server} {
			seen, w := Observe(Snapshot{Rules: table("0", "0", "0")}, Snapshot{Rules: table(c.in, c.out, c.redirected)},
				Selection{Side: side})
			if got := facts(seen); got != want || (w.Abstains == "") != c.sure {
				t.Errorf("%s, %s: %q, want %q; %s", c.name, side, got, want, w.Abstains)
			}
		}
	}
}

func TestParseRules(t *testing.T) {
	for _, c := range []struct{ name, text, problem string }{
		{"without counters", "*nat\n-A X -j REDIRECT --to-ports 1\n",
			"line 2: a rule without counters (give the output of iptables-save -c)"},
		{"outside of a table", "[0:0] -A X -j Y\n", "line 1: a rule outside of a table"},
		{"no number", "*nat\n[x:0] -A X -j Y\n", `line 2: "x" is no number of packets`},
		{"no bytes", "*nat\n[0:] -A X -j Y\n", `line 2: "" is no number of bytes`},
		{"no chain", "*nat\n[0:0] -I X -j Y\n", "line 2: a rule that is not -A CHAIN"},
		{"one line without end", "*nat\n[0:0] -A X " + strings.Repeat("x", 2*maxLine), "after line 1: "},
		{"another program's", "iptables: Permission denied\n", "line 1: a rule outside of a table"},
		{"another table", "*filter\nanything\nCOMMIT\n", ""},
		{"nothing", "", ""},
	} {
		if _, err := ParseRules(strings.NewReader(c.text)); c.problem == "" && err != nil ||
			c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.problem)
		}
	}
	rules, err := ParseRules(strings.NewReader("*nat\n[3:180] -A R -p tcp -j REDIRECT --to-ports 15001-15002\n[1:60] " +
		"-A PREROUTING -g X\n"))
	if err != nil || len(rules) != 2 || rules[0].Port != 0 || rules[0].redirects() || rules[0].Packets != 3 ||
		rules[1].Target != "X" {
		t.Errorf("%+v, %v", rules, err)
	}
}

func TestParseConntrack(t *testing.T) {
	for _, c := range []struct {
		name, text, problem string
		entries             int
	}{
		{"proc", "ipv4     2 tcp      6 5 CLOSE src=1.2.3.4 dst=1.2.3.5 sport=1 dport=2 src=1.2.3.5 dst=1.2.3.4 " +
			"sport=2 dport=1 mark=0 zone=0 use=2\n", "", 1},
		{"IPv6", "ipv6 10 tcp 6 5 CLOSE src=::1 dst=::2 sport=1 dport=2 src=::2 dst=::1 sport=2 dport=1\n", "", 1},
		{
			"conntrack -L", "tcp      6 431999 ESTABLISHED src=1.2.3.4 dst=1.2.3.5 sport=1 dport=2 [UNREPLIED] " +
				"src=1.2.3.5 dst=1.2.3.4 sport=2 dport=1 use=1\n", "", 1,
		},
		{"UDP", "ipv4 2 udp 17 5 src=1.2.3.4 dst=1.2.3.5 sport=1 dport=2\n", "", 0},
		{"one direction", "tcp 6 5 CLOSE src=1.2.3.4 dst=1.2.3.5 sport=1 dport=2\n",
			"line 1: no src= and sport= of an address", 0},
		{"three", "tcp src=1.2.3.4 src=1.2.3.5 src=1.2.3.6\n", "line 1: more than two directions", 0},
		{"begins in the middle", "tcp dport=2\n", "line 1: an address before the first src=", 0},
		{"no address", "tcp src=a dst=b sport=1 dport=2 src=c dst=d sport=1 dport=2\n", "line 1: no src=", 0},
	} {
		got, err := ParseConntrack(strings.NewReader(c.text))
		if len(got) != c.entries || c.problem == "" && err != nil ||
			c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s: %d entries, %v, want %q", c.name, len(got), err, c.problem)
		}
	}
}

func FuzzNetfilter(f *testing.F) {
	for _, side := range []flow.Side{flow.Client, flow.Server} {
		w := real(f, side)
		f.Add([]byte(w.rulesBefore), []byte(w.rulesAfter), []byte(w.trackedBefore), []byte(w.trackedAfter))
	}
	f.Add([]byte("*nat\n[0:0] -A A -j B\n[0:0] -A B -j A\n"), []byte("*nat\n[1:0] -A OUTPUT -j OUTPUT\n"),
		[]byte("tcp src=::1"), []byte(""))
	f.Fuzz(func(t *testing.T, rulesBefore, rulesAfter, before, after []byte) {
		var s [2]Snapshot
		for i, in := range [][2][]byte{{rulesBefore, before}, {rulesAfter, after}} {
			var err, errTracked error
			s[i].Rules, err = ParseRules(bytes.NewReader(in[0]))
			s[i].Tracked, errTracked = ParseConntrack(bytes.NewReader(in[1]))
			s[i].Tracks = true
			for _, err := range []error{err, errTracked} {
				if err != nil && !strings.Contains(err.Error(), "line ") {
					t.Errorf("error without a place: %v", err)
				}
			}
		}
		for _, side := range []flow.Side{flow.Client, flow.Server} {
			if seen, w := Observe(s[0], s[1], Selection{Side: side}); len(seen) > 2 || w.Complete && w.Problem != "" {
				t.Errorf("%d observations, %+v", len(seen), w)
			}
		}
	})
}
