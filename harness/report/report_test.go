package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/golden"
)

// run has one hop of each verdict: confirmed, refuted and not observed, and an instrument
// that lost something.
func run() (flow.Run, flow.RunVerdict) {
	r := flow.Run{Schema: flow.RunSchema, Backend: "node", Call: flow.Call{From: "netshoot", Namespace: "mark",
		URL:     "http://fortio-server:8080/?access_token=hunter2",
		Headers: flow.Headers{"authorization": {"Bearer hunter2"}}}}
	r.Path = flow.Path{Schema: flow.PathSchema, Call: r.Call, Outcome: flow.Forwarded, Hops: []flow.Hop{
		{Kind: flow.Cluster, Side: flow.Client, Proxy: "netshoot.mark",
			Decision: "outbound|8080||fortio-server.mark.svc.cluster.local",
			Source:   "/configs/5/dynamic_route_configs/9/route_config/virtual_hosts/4/routes/0/route/cluster",
			Why: "the route's only action is to forward, and it names this cluster; no weighted clusters, no " +
				"cluster_header, no mirror",
			Expect: []flow.Fact{
				{Name: flow.FactCluster, Value: "outbound|8080||fortio-server.mark.svc.cluster.local"},
			}},
		{Kind: flow.ListenerFilters, Side: flow.Server, Proxy: "fortio-server.mark",
			Decision: "original_dst, tls_inspector",
			Source:   "/configs/3", Why: "http_inspector is disabled for port 8080",
			Rejected: []flow.Alternative{{Name: "http_inspector", Why: "disabled for 8080"}},
			Expect: []flow.Fact{{Name: flow.FactFilter, Value: "envoy.filters.listener.http_inspector",
				Absent: true}}},
		{Kind: flow.FilterChain, Side: flow.Server, Proxy: "fortio-server.mark", Decision: "0.0.0.0_8080",
			Choices: []flow.Choice{{Name: "a", Share: 0.25}},
			Expect:  []flow.Fact{{Name: flow.FactFilterChain, Value: "0.0.0.0_8080"}}},
	}}
	r.Observations = []flow.Observation{
		{
			Instrument: flow.EnvoyLog, Side: flow.Client, Kind: flow.Cluster,
			Facts: []flow.Seen{{Name: flow.FactCluster, Value: "outbound|8080||fortio-server.mark.svc.cluster.local"}},
		},
		{Instrument: flow.EnvoyLog, Side: flow.Server, Kind: flow.ListenerFilters,
			Facts: []flow.Seen{{Name: flow.FactFilter, Value: "envoy.filters.listener.http_inspector"}},
			Raw: "2026-11-23T05:40:08.420357Z\tdebug\tenvoy filter http_inspector.cc:192\thttp inspector: set " +
				"application protocol to http/1.1\x1b[2J"},
	}
	r.Watches = []flow.Watch{
		{Instrument: flow.EnvoyLog, Pod: "netshoot.mark", Side: flow.Client, Complete: true},
		{Instrument: flow.EnvoyLog, Pod: "fortio-server.mark", Side: flow.Server,
			Problem: "the stream's last line is missing"},
	}
	return r, verify.Judge(r)
}

func TestReports(t *testing.T) {
	r, verdict := run()
	for name, write := range map[string]func(io.Writer) error{
		"report.txt":         func(w io.Writer) error { return Text(w, r, verdict, Options{}) },
		"report-verbose.txt": func(w io.Writer) error { return Text(w, r, verdict, Options{Verbose: true}) },
		"report.json":        func(w io.Writer) error { return JSON(w, r, verdict) },
		"report.xml":         func(w io.Writer) error { return JUnit(w, r, verdict) },
		"report.mmd":         func(w io.Writer) error { return Mermaid(w, r, verdict) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			golden.Equal(t, filepath.Join("testdata", name), b.String())
			if strings.Contains(b.String(), "hunter2") || strings.Contains(b.String(), "\x1b") {
				t.Error("a secret or a control character came through")
			}
		})
	}
}

func TestTextWidth(t *testing.T) {
	r, verdict := run()
	r.Path.Hops[0].Why = strings.Repeat("x", 400) + " " + strings.Repeat("word ", 100)
	var b bytes.Buffer
	if err := Text(&b, r, verdict, Options{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if n := utf8.RuneCountInString(line); n > width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestNoNameIsCut holds that on a terminal of any width a report says every decision whole, and
// leaves no line too long.
func TestNoNameIsCut(t *testing.T) {
	kept, err := inbound()
	if err != nil {
		t.Fatal(err)
	}
	verdict := verify.Judge(kept.run)
	for columns := narrowest; columns <= 200; columns += 10 {
		for _, fold := range []bool{false, true} {
			var b bytes.Buffer
			if err := Text(&b, kept.run, verdict, Options{Width: columns, Fold: fold}); err != nil {
				t.Fatal(err)
			}
			said, decisions := b.String(), ""
			if strings.Contains(said, "…") {
				t.Errorf("at %d columns something is cut:\n%s", columns, said)
			}
			for line := range strings.Lines(said) {
				if n := utf8.RuneCountInString(line) - 1; n > columns {
					t.Errorf("%d columns instead of %d: %s", n, columns, line)
				}
				decisions += decisionColumn(line)
			}
			for _, hop := range kept.run.Path.Hops {
				if !fold && !strings.Contains(decisions, strings.ReplaceAll(hop.Decision, " ", "")) {
					t.Errorf("at %d columns %s is not said:\n%s", columns, hop.Decision, said)
				}
			}
		}
	}
}

// decisionColumn is what a line of the table has in the column of decisions, without blanks.
func decisionColumn(line string) string {
	runes := []rune(line)
	if len(runes) <= lead {
		return ""
	}
	decision, _, _ := strings.Cut(string(runes[lead:]), "  ")
	return strings.Join(strings.Fields(decision), "")
}

func TestColour(t *testing.T) {
	r, verdict := run()
	var b bytes.Buffer
	if err := Text(&b, r, verdict, Options{Color: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[32m✓\x1b[0m", "\x1b[31m✗\x1b[0m", "\x1b[33m·\x1b[0m"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestMachineForms(t *testing.T) {
	r, verdict := run()
	var b bytes.Buffer
	if err := JSON(&b, r, verdict); err != nil {
		t.Fatal(err)
	}
	var d Document
	if err := json.Unmarshal(b.Bytes(), &d); err != nil || d.Schema != Schema || len(d.Hops) != 3 ||
		d.Hops[1].State != flow.Refuted {
		t.Errorf("document %+v, error %v", d, err)
	}
	b.Reset()
	if err := JUnit(&b, r, verdict); err != nil {
		t.Fatal(err)
	}
	var suites testSuites
	if err := xml.Unmarshal(b.Bytes(), &suites); err != nil || suites.Tests != 4 || suites.Failures != 1 ||
		suites.Skipped != 1 || suites.Errors != 1 {
		t.Errorf("suites %+v, error %v", suites, err)
	}
}

// TestDamaged reports a verdict that fits no path: the report must not fail.
func TestDamaged(t *testing.T) {
	verdict := flow.RunVerdict{
		Hops: []flow.HopVerdict{{Hop: -1}, {Hop: 7, Evidence: []flow.Evidence{{Observation: 99}}}},
	}
	for _, err := range []error{Text(io.Discard, flow.Run{}, verdict, Options{Verbose: true}),
		JSON(io.Discard, flow.Run{}, verdict),
		JUnit(io.Discard, flow.Run{}, verdict), Mermaid(io.Discard, flow.Run{}, verdict)} {
		if err != nil {
			t.Error(err)
		}
	}
}
