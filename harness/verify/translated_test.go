package verify

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestTranslatedPort has the client and its sidecar name another port of the client's end. That is
// one connection where netfilter saw the port translated, two where it saw that it was not, and not
// known where netfilter was not read.
func TestTranslatedPort(t *testing.T) {
	const own, shown, other = "10.0.0.1:45571", "10.0.0.1:25912", "10.0.0.1:4444"
	sees := []flow.Capability{{Kind: flow.Redirect, Fact: flow.FactTranslated}}
	for _, c := range []struct {
		name       string
		curl       string
		translated string
		watched    bool
		result     flow.Result
		reason     string
	}{
		{"the same", own, "", true, flow.Verified, ""},
		{"translated", shown, flow.Translation(shown, own), true, flow.Verified, ""},
		{"translated to another port", shown, flow.Translation(shown, other), true, flow.Mismatch,
			"downstream.peer has one value"},
		{"of another end translated", shown, flow.Translation(other, own), true, flow.Mismatch,
			"downstream.peer has one value"},
		{"to another address", "10.0.0.2:45571", flow.Translation("10.0.0.2:45571", own), true, flow.Mismatch,
			"downstream.peer has one value"},
		{"translated, and seen as it was", own, flow.Translation(own, other), true, flow.Mismatch,
			"access-log saw " + own + " at the listener"},
		{"translated to itself", own, flow.Translation(own, own), true, flow.Mismatch,
			"a redirection translates a port"},
		{"not translated", shown, "", true, flow.Mismatch, "downstream.peer has one value"},
		{"nothing known of it", shown, "", false, flow.Incomplete, "no instrument that ran could see that"},
		{"another address, and nothing known of it", "10.0.0.2:1", "", false, flow.Mismatch,
			"downstream.peer has one value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := workshop()
			run.Path.Outcome = flow.Forwarded
			run.Path.Hops = append([]flow.Hop{hop(flow.Client, flow.Redirect, fact(flow.FactRedirectPort, "15001"))},
				run.Path.Hops...)
			run.Observations = append(run.Observations, seen(flow.AccessLog, flow.Client, flow.Redirect,
				flow.FactRedirectPort, "15001"),
				seen(flow.Curl, flow.Client, flow.Redirect, flow.FactPeer, c.curl),
				seen(flow.AccessLog, flow.Client, flow.Listener, flow.FactPeer, own))
			if c.translated != "" {
				run.Observations = append(run.Observations, seen(flow.Netfilter, flow.Client, flow.Redirect,
					flow.FactTranslated, c.translated))
			}
			if c.watched {
				run.Watches = append(run.Watches, flow.Watch{Instrument: flow.Netfilter, Pod: run.Watches[0].Pod,
					Side: flow.Client, Complete: true, Sees: sees})
			}
			v := Judge(run)
			var reasons []string
			for _, h := range v.Hops {
				if h.State != flow.Confirmed {
					reasons = append(reasons, h.Reason)
				}
			}
			if v.Result != c.result || !strings.Contains(strings.Join(reasons, "; "), c.reason) {
				t.Errorf("%s: %q; want %s: %q", v.Result, reasons, c.result, c.reason)
			}
		})
	}
}
