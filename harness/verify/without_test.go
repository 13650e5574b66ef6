package verify

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestVerdictSaysWhatAnAbsenceCosts judges a hop that only eBPF could have seen, and one that
// another instrument saw.
func TestVerdictSaysWhatAnAbsenceCosts(t *testing.T) {
	process := flow.Fact{Name: flow.FactProcess, Value: "envoy"}
	status := flow.Fact{Name: flow.FactStatus, Value: "200"}
	redirect := flow.Hop{Kind: flow.Redirect, Side: flow.Server, Proxy: "fortio-server.mark",
		Expect: []flow.Fact{process}}
	app := flow.Hop{Kind: flow.App, Side: flow.Server, Proxy: "fortio-server.mark", Expect: []flow.Fact{status}}
	watch := flow.Watch{Instrument: flow.Sockets, Pod: "fortio-server.mark", Side: flow.Server, Complete: true,
		Sees: []flow.Capability{{Kind: flow.App, Fact: flow.FactStatus}}}
	seen := flow.Observation{Instrument: flow.Sockets, Side: flow.Server, Kind: flow.App,
		Facts: []flow.Seen{{Name: flow.FactStatus, Value: "200"}}}
	absence := flow.Absence{Instrument: flow.Trace, Reason: "its processes are not on this host"}
	for _, tt := range []struct {
		name    string
		hops    []flow.Hop
		absence flow.Absence
		result  flow.Result
		without string
	}{
		{"another witness", []flow.Hop{app}, absence, flow.Verified,
			"ebpf was not available: its processes are not on this host; no hop stays unobserved without it"},
		{"the only witness", []flow.Hop{redirect, app}, absence, flow.Incomplete,
			"ebpf was not available: its processes are not on this host; not observed without it: server redirect"},
		{"another pod's", []flow.Hop{redirect}, flow.Absence{Instrument: flow.Trace, Pod: "netshoot.mark",
			Reason: "gone"}, flow.Incomplete,
			"ebpf of netshoot.mark was not available: gone; no hop stays unobserved without it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := flow.Run{Path: flow.Path{Hops: tt.hops}, Observations: []flow.Observation{seen},
				Watches: []flow.Watch{watch}, Absences: []flow.Absence{tt.absence}}
			v := Judge(run)
			if v.Result != tt.result || len(v.Without) != 1 || v.Without[0] != tt.without {
				t.Errorf("%s, %q; want %s, %q", v.Result, v.Without, tt.result, tt.without)
			}
			if tt.name == "the only witness" && !strings.Contains(v.Hops[0].Reason,
				"ebpf (not available: its processes are not on this host) would") {
				t.Errorf("reason %q", v.Hops[0].Reason)
			}
		})
	}
}
