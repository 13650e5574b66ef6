package envoylog

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/observetest"
)

// edit changes a log line by line; a line for which it returns nothing is left out.
func edit(text string, change func(n int, line string) []string) string {
	var out []string
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		out = append(out, change(n, line)...)
	}
	return strings.Join(out, "\n") + "\n"
}

// drop leaves out the nth line (from 0) that holds part.
func drop(text, part string, nth int) string {
	return edit(text, func(_ int, line string) []string {
		if strings.Contains(line, part) {
			if nth--; nth == -1 {
				return nil
			}
		}
		return []string{line}
	})
}

// move puts the line that holds part behind the line that holds behind.
func move(text, part, behind string) string {
	moved := ""
	rest := edit(text, func(_ int, line string) []string {
		if moved == "" && strings.Contains(line, part) {
			moved = line
			return nil
		}
		return []string{line}
	})
	return edit(rest, func(_ int, line string) []string {
		if moved != "" && strings.Contains(line, behind) {
			line, moved = line+"\n"+moved, ""
		}
		return []string{line}
	})
}

// insert puts a line behind the line that holds part.
func insert(text, part, extra string) string {
	done := false
	return edit(text, func(_ int, line string) []string {
		if !done && strings.Contains(line, part) {
			done = true
			return []string{line, extra}
		}
		return []string{line}
	})
}

func debug(logger, message string) string {
	return "2022-08-28T13:46:17.500000Z\tdebug\tenvoy " + logger + "\t" + message
}

// TestOrder breaks the workshop's log in one way at a time: the rule that it breaks
// must be named, at its hop.
func TestOrder(t *testing.T) {
	log := workshopLog()
	coldRun := Variant{Workers: 2, Cold: true}
	for _, c := range []struct {
		name, text, rule, sentence string
		kind                       flow.HopKind
		variant                    Variant
	}{
		{"untouched", log, "", "", "", coldRun},
		{"SNI before the inspector", move(log, "tls inspector: new", "tls:onServerName"), "R6.2",
			`must come after "tls inspector: new connection accepted"`, flow.ListenerFilters, coldRun},
		{"pool ready before the connection", move(log, "] connected", "pool ready"), "R6.2", "", flow.Connect, coldRun},
		{"routed before it was received", move(log, "router decoding headers", "queueing stream"), "R6.2", "",
			flow.Connect, coldRun},
		{"host added before it was created", move(log, "Created host", "addHost()"), "R6.3",
			"added only after it was created", flow.Endpoint, coldRun},
		{"updated before the host was added", move(log, "addHost()", "membership update"), "R6.3",
			"updated only after the host was added", flow.Endpoint, coldRun},
		{"one update too few", drop(log, "membership update", 1), "R6.3",
			"with 2 workers the cluster is updated 3 times, but the log shows 2", flow.Endpoint, coldRun},
		{
			"one update too many", insert(log, "addHost()",
				debug("upstream", "membership update for TLS cluster inbound|8080|| added 1 removed 0")), "R6.3",
			"but the log shows 4", flow.Endpoint, coldRun,
		},
		{"four workers", log, "R6.3", "with 4 workers the cluster is updated 5 times, but the log shows 3",
			flow.Endpoint, Variant{Workers: 4}},
		{"stream of another connection", strings.Replace(log, "[C12990][S11192089021443921902] pool ready",
			"[C1][S11192089021443921902] pool ready", 1), "R6.1", "prints it with connection 1",
			flow.NetworkFilters, coldRun},
		{"younger downstream", strings.ReplaceAll(log, "[C12991]", "[C7]"), "R6.1", "must be greater",
			flow.Connect, coldRun},
		{
			"http_inspector ran", insert(log, "tls:onServerName",
				debug("filter", "http inspector: new connection accepted")), "R6.4", "http_inspector must not run",
			flow.ListenerFilters, coldRun,
		},
		{"app dialled at 127.0.0.1", strings.Replace(log, "connecting to 172.21.206.230", "connecting to 127.0.0.1", 1),
			"R6.4", "not at 127.0.0.1", flow.Connect, coldRun},
		{
			"access log", insert(log, "stat=14", `[2022-08-28T13:46:17.000Z] "GET / HTTP/1.1" 200 - via_upstream - `+
				`"-" 0 0 2 1 "-"`), "R6.4", "no access log is configured", flow.HTTPFilters, coldRun,
		},
		{
			"access log that is configured", insert(log, "stat=14", `[2022-08-28T13:46:17.000Z] "GET / HTTP/1.1" 200 `+
				`- via_upstream - "-" 0 0 2 1 "-"`), "", "", "", Variant{Workers: 2, Cold: true, AccessLog: true},
		},
		{
			"a probe of health", insert(log, "request end stream",
				debug("conn_handler", "[C12999] new connection from 172.21.206.193:52353")), "", "", "", coldRun,
		},
		{"pooled and dialled", strings.Replace(log, "attaching to next stream",
			"using existing fully connected connection", 1), "R6.5", "not dialled", flow.Connect, Variant{}},
		{"cold where warm was expected", log, "R6.5", "so none is accepted", flow.Listener, Variant{Warm: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := CheckOrder(parse(t, c.text), Selection{RequestID: workshopRequestID}, c.variant)
			if c.rule == "" {
				if len(got) > 0 {
					t.Errorf("got %s %s", got[0].Rule, got[0].Sentence)
				}
				return
			}
			if !slices.ContainsFunc(got, func(v Violation) bool {
				return v.Rule == c.rule && strings.Contains(v.Sentence, c.sentence) && v.Kind == c.kind &&
					len(v.Lines) > 0
			}) {
				t.Errorf("no %s %q at %s among %+v", c.rule, c.sentence, c.kind, got)
			}
		})
	}
}

// TestTwoSocketsAtOnce lets another socket be between accept and filter chain at the same time:
// what only one of them can have is not said of the request's.
func TestTwoSocketsAtOnce(t *testing.T) {
	sel := Selection{RequestID: cold, Workers: 2}
	current := func(part, extra string) []Line {
		b, err := os.ReadFile("testdata/server-1.40.log")
		if err != nil {
			t.Fatal(err)
		}
		return parse(t, insert(string(b), part, extra))
	}
	const before = "Not closing conn, socket is not open" // on the main thread, before anything was accepted
	silent := func(destination, thread string) string {
		return "2026-11-23T05:40:08.400000Z\tdebug\tenvoy filter original_dst.cc:67\toriginal_dst: set destination " +
			"to " + destination + "\tthread=" + thread
	}
	for _, c := range []struct {
		name     string
		lines    []Line
		sel      Selection
		gone     string // a fact that must not be said
		complete bool
	}{
		{"a silent socket to the same address", current(before, silent("10.77.0.2:8080", "24212")), sel, "", true},
		{"a silent socket to another address", current(before, silent("10.77.0.2:9999", "24212")), sel,
			"redirect original.dst=10.77.0.2:8080", true},
		{"a silent socket on another thread", current(before, silent("10.77.0.2:9999", "7")), sel, "", true},
		{"two inspectors, no threads",
			parse(t, insert(workshopLog(), "tls:onServerName",
				debug("filter", "tls:onServerName(), requestedServerName: other"))),
			Selection{RequestID: workshopRequestID}, "listener-filters " + sni, false},
	} {
		seen, watch := Observe(c.lines, c.sel)
		got := observetest.Facts(seen)
		for _, want := range []string{dst + "10.77.0.2:8080", "listener-filters " + sni, filter + "original_dst"} {
			if c.complete && slices.Contains(got, want) == (want == c.gone) {
				t.Errorf("%s: %s is in %v", c.name, want, got)
			}
		}
		if c.gone != "" && slices.Contains(got, c.gone) || watch.Complete != c.complete {
			t.Errorf("%s: complete %v: %s; %v", c.name, watch.Complete, watch.Problem, got)
		}
		if able := slices.Contains(watch.Sees,
			flow.Capability{Kind: flow.Redirect, Fact: flow.FactOriginalDst}); able == (c.gone != "") {
			t.Errorf("%s: able to see the destination: %v", c.name, able)
		}
	}
}

// TestListenerWithoutFilters lets the health check's connection, whose listener has no filters, be
// accepted on the same thread while the request's socket waits for its data.
func TestListenerWithoutFilters(t *testing.T) {
	const (
		set    = "original_dst: set destination to 10.77.0.2:8080"
		server = "10.77.0.2:8080"
	)
	b, err := os.ReadFile("testdata/server-1.40.log")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) string {
		return "2026-11-23T05:40:08.420400Z\tdebug\tenvoy " + text + "\tthread=24212"
	}
	accepted := func(id, peer string) string {
		return at(`conn_handler active_tcp_listener.cc:162	[Tags: "ConnectionId":"` + id +
			`"] new connection from ` + peer)
	}
	other := at("filter original_dst.cc:67\toriginal_dst: set destination to 10.9.9.9:80")
	probe, outbound := accepted("901", "127.0.0.1:40000"), accepted("902", "10.77.0.2:40002")
	for _, c := range []struct {
		name     string
		between  string // on the thread, between accept and the inspector's word
		before   string // on the thread, before the request's socket was accepted
		original string // what is seen as the request's original destination
		probe    bool   // the probe's connection is said to have had listener filters, which is false
	}{
		{"nothing between", "", "", server, false},
		{"a probe", probe, "", server, false},
		{"a probe, after a connection of the application's own", probe, other + "\n" + outbound, "", false},
		{"a connection of the application's own", other + "\n" + outbound, "", "", false},
		{"a probe, while another socket waits", probe, other, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(b)
			if c.before != "" {
				text = strings.Replace(text, lineWith(text, set), c.before+"\n"+lineWith(text, set), 1)
			}
			if c.between != "" {
				text = insert(text, set, c.between)
			}
			j := newJournal(parse(t, text))
			p := j.phases["1"][0]
			got, _ := p.find(OriginalDstSet)
			if got.Line == nil || got.rest != c.original {
				t.Errorf("original destination %q, want %q", got.rest, c.original)
			}
			if p.unsure != "" {
				t.Errorf("the request's own statements are unsure: %s", p.unsure)
			}
			for _, q := range j.phases["901"] {
				if said := len(q.steps) > 0 && q.unsure == ""; said != c.probe {
					t.Errorf("the probe passed listener filters: %v (%s)", said, q.unsure)
				}
			}
		})
	}
}

// lineWith is the first line of a text that holds part.
func lineWith(text, part string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// TestOrderCurrent checks real logs of Envoy 1.40: none breaks a rule.
func TestOrderCurrent(t *testing.T) {
	for _, c := range []struct {
		log, id string
		variant Variant
	}{
		{"server-1.40-plain.log", cold, Variant{Workers: 2, Cold: true}},
		{"server-1.40-old.log", cold, Variant{Workers: 2, Cold: true}},
		{"server-1.40.log", cold, Variant{Workers: 2}}, {"server-1.40.log", warm, Variant{Warm: true}},
		{"server-1.40.log", post, Variant{}},
		{"server-1.40.log", http2, Variant{}}, {"server-1.40.log", clear, Variant{}},
		{"client-1.40.log", cold, Variant{}},
		{"client-1.40.log", http2, Variant{}}, {"client-1.40.log", post, Variant{}},
		{"server-refused-1.40.log", cold, Variant{Workers: 2}}, {"client-refused-1.40.log", cold, Variant{}},
	} {
		if v := CheckOrder(read(t, c.log), Selection{RequestID: c.id}, c.variant); len(v) > 0 {
			t.Errorf("%s %s: %s %s: %s", c.log, c.id, v[0].Rule, v[0].Sentence, v[0].text())
		}
	}
}

// TestBrokenOrderIsSeen shows that Observe turns a broken rule into an observation that verify
// refutes the hop by.
func TestBrokenOrderIsSeen(t *testing.T) {
	seen, _ := Observe(parse(t, move(workshopLog(), "] connected", "pool ready")),
		Selection{RequestID: workshopRequestID, Side: flow.Server})
	for _, o := range seen {
		for _, f := range o.Facts {
			if f.Name == flow.FactOrder && o.Kind == flow.Connect && strings.Contains(o.Raw, "connected") {
				return
			}
		}
	}
	t.Error("no observation of the broken rule")
}

// TestTakeLineAway takes one line after the other out of a log. What the log proves must never
// grow, and a log that lacks a line of the stream's own must not be called complete.
func TestTakeLineAway(t *testing.T) {
	log := workshopLog()
	sel := Selection{RequestID: workshopRequestID, Side: flow.Server}
	whole, _ := Observe(parse(t, log), sel)
	known := observetest.Facts(whole)
	deciding := []string{"request headers complete", "cluster 'inbound", "router decoding headers", "connecting to 172",
		"] connected", "pool ready", "upstream headers complete", "encoding headers via codec", "destroying stream"}
	for n, taken := range strings.Split(strings.TrimSuffix(log, "\n"), "\n") {
		if !strings.HasPrefix(taken, "2022") {
			continue // part of a block
		}
		rest := edit(log, func(i int, line string) []string {
			if i == n {
				return nil
			}
			return []string{line}
		})
		seen, watch := Observe(parse(t, rest), sel)
		for _, f := range observetest.Facts(seen) {
			if !slices.Contains(known, f) && !strings.Contains(f, flow.FactOrder) &&
				!strings.Contains(f, flow.FactUpstreamReused) {
				t.Errorf("without %q the log shows %s", taken, f)
			}
		}
		if slices.ContainsFunc(deciding, func(part string) bool {
			return strings.Contains(taken, part)
		}) && watch.Complete {
			t.Errorf("the log is called complete without %q", taken)
		}
	}
}

// TestCut ends the log after each of its lines: until the stream's last line is there,
// it is not complete.
func TestCut(t *testing.T) {
	log := workshopLog()
	sel := Selection{RequestID: workshopRequestID, Side: flow.Server}
	for end := range len(log) {
		if log[end] != '\n' && end%97 != 0 {
			continue
		}
		if _, watch := Observe(parse(t, log[:end]), sel); watch.Complete {
			t.Errorf("complete at byte %d of %d", end, len(log))
		}
	}
	for begin := range len(log) {
		if log[begin] != '\n' || begin == len(log)-1 {
			continue
		}
		_, watch := Observe(parse(t, log[begin+1:]), sel)
		if strings.Index(log, "new connection from") < begin && watch.Complete {
			t.Errorf("complete from byte %d on", begin)
		}
	}
}

// TestOthers: what a cold request cannot show by itself breaks no rule: others were there.
func TestOthers(t *testing.T) {
	log := workshopLog()
	second := insert(log, "request end stream",
		debug("conn_handler", "[C12999] new connection from 172.21.206.228:52353"))
	pooled := strings.Replace(log, "attaching to next stream", "using existing fully connected connection", 1)
	for _, c := range []struct {
		name, text, sentence string
		kind                 flow.HopKind
		cold                 bool
	}{
		{"alone", log, "", "", true},
		{"a second connection", second, "a second connection was accepted", flow.Listener, true},
		{"a second connection, and nothing is said of the pools", second, "", "", false},
		{"a pool that was filled again", pooled, "found a connection in the pool", flow.Connect, true},
		{"a pool that may have been warm", pooled, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, _ := Observe(parse(t, c.text), Selection{RequestID: workshopRequestID, Workers: 2, Cold: c.cold})
			n := 0
			for _, o := range seen {
				for _, s := range o.Facts {
					if s.Name == flow.FactOthers {
						n++
						if o.Kind != c.kind || !strings.Contains(s.Value, c.sentence) || o.Raw == "" {
							t.Errorf("saw %s at %s: %q", s.Value, o.Kind, o.Raw)
						}
					}
					if s.Name == flow.FactOrder && strings.HasPrefix(s.Value, "R6.4") {
						t.Errorf("broken: %s", s.Value)
					}
				}
			}
			if (n > 0) != (c.sentence != "") {
				t.Errorf("%d observations of others, want %q", n, c.sentence)
			}
		})
	}
}
