package infer

import (
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/netfilter"
)

func rulesText(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile("../netfilter/testdata/" + file)
	must(t, err)
	return text
}

func rulesOf(t testing.TB, file string) *netfilter.Ruleset {
	t.Helper()
	rules, err := netfilter.Parse(string(rulesText(t, file)))
	must(t, err)
	return rules
}

// senders are who may open a connection in a pod.
var senders = map[string]netfilter.Sender{"application": {}, "proxy": {UID: 1337, GID: 1337, Known: true}}

// TestNotCaptured follows a connection that netfilter lets pass: to a listener that is really
// bound, or past the proxy.
func TestNotCaptured(t *testing.T) {
	d := recorded(t, "fortio-server")
	rules, err := netfilter.Parse("*nat\n-A PREROUTING -p tcp ! --dport 15021 -j REDIRECT --to-ports 15006\n" +
		"-A OUTPUT -p tcp -m owner ! --uid-owner 1337 -j REDIRECT --to-ports 15001\n")
	must(t, err)
	e := New(d)
	probe, err := e.DecideWith(flow.Request{Direction: flow.Inbound, Address: d.Node().IPs[0], Port: 15021,
		Path: "/healthz/ready", Authority: "x"}, Options{Rules: rules})
	must(t, err)
	if probe.Outcome != flow.Forwarded || probe.Cluster != "agent" {
		t.Errorf("probe: %s %s cluster %q", probe.Outcome, probe.Failure, probe.Cluster)
	}
	past, err := e.DecideWith(flow.Request{Address: "10.96.0.1", Port: 443, Protocol: "tcp"},
		Options{Rules: rules, Sender: senders["proxy"]})
	must(t, err)
	if past.Outcome != flow.Forwarded || past.Listener != "" || len(past.Endpoints) != 1 {
		t.Errorf("past the proxy: %+v", past)
	}
}

// TestElsewhere follows connections that netfilter takes to another listener than that
// of their direction.
func TestElsewhere(t *testing.T) {
	d := recorded(t, "fortio-server")
	rules := rulesOf(t, "native.json")
	own := d.Node().IPs[0]
	for _, c := range []struct {
		name             string
		address          string
		port             uint32
		who              string
		listener, reason string
	}{
		{"DNS over TCP goes to the agent", "10.96.0.10", 53, "application", "", "answers DNS itself"},
		{"the proxy's call to its own pod comes in", own, 8080, "proxy", "virtualInbound", "port 15006"},
		{"an application's call to its own pod is left alone", own, 8080, "application", "", "past the proxy"},
	} {
		got, err := New(d).DecideWith(flow.Request{Address: c.address, Port: c.port, Protocol: "tcp"},
			Options{Rules: rules, Sender: senders[c.who]})
		must(t, err)
		if got.Listener != c.listener || !strings.Contains(got.Hops[1].Why, c.reason) {
			t.Errorf("%s: listener %q (%s)", c.name, got.Listener, got.Hops[1].Why)
		}
	}
}

// TestDropped follows connections that a filter of the pod ends, which have to come
// to the end as such.
func TestDropped(t *testing.T) {
	rules := rulesOf(t, "native.json")
	e := New(recorded(t, "fortio-server"))
	for _, port := range []uint32{25, 26} {
		d, err := e.DecideWith(flow.Request{Address: "10.96.0.1", Port: port, Protocol: "tcp"},
			Options{Rules: rules, Sender: senders["proxy"]})
		must(t, err)
		if d.Outcome != flow.Failed || d.Failure != flow.BlackHole || !strings.Contains(d.Hops[0].Why, "drops it") {
			t.Errorf("port %d: %s %s (%s)", port, d.Outcome, d.Failure, d.Hops[0].Why)
		}
	}
}
