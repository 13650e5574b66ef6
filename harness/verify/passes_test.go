package verify

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

func TestPasses(t *testing.T) {
	hop := func(side flow.Side, kind flow.HopKind, state flow.State) flow.HopVerdict {
		return flow.HopVerdict{Side: side, Kind: kind, State: state}
	}
	seen := hop(flow.Server, flow.Cluster, flow.Confirmed)
	unseen := hop(flow.Server, flow.Route, flow.NotObserved)
	for _, tc := range []struct {
		name    string
		verdict flow.RunVerdict
		allowed string
		kind    fault.Kind
		reason  string
	}{
		{"all seen", flow.RunVerdict{Hops: []flow.HopVerdict{seen}}, "", fault.None, ""},
		{"one not seen", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen}}, "", fault.Incomplete,
			"not observed: server/route"},
		{"one not seen, and named", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen}},
			"server/route", fault.None, ""},
		{"one not seen, its kind named", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen}}, "route",
			fault.None, ""},
		{"the other side named", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen}}, "client/route",
			fault.Incomplete, "-allow-unobserved names client/route, which is none of them"},
		{"seen although named", flow.RunVerdict{Hops: []flow.HopVerdict{seen}}, "cluster", fault.Usage,
			`no hop "cluster" stayed unobserved`},
		{
			"refuted, and naming does not help", flow.RunVerdict{Refuted: 1,
				Hops: []flow.HopVerdict{hop(flow.Server, flow.Route, flow.Refuted), unseen}}, "server/route",
			fault.Mismatch, "1 of 2 hops refuted",
		},
		{"one of no side's not seen", flow.RunVerdict{Hops: []flow.HopVerdict{hop("", flow.App, flow.NotObserved)}}, "",
			fault.Incomplete, "not observed: app"},
		{"lost and not seen", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen},
			Problems: []string{"log: 3 lines lost"}}, "", fault.Incomplete, "3 lines lost; not observed: server/route"},
		{"refuted where something was lost", flow.RunVerdict{Refuted: 1, Result: flow.Incomplete,
			Hops:     []flow.HopVerdict{hop(flow.Server, flow.Route, flow.Refuted)},
			Problems: []string{"log: 3 lines lost"}}, "", fault.Incomplete, "3 lines lost"},
		{"an instrument lost something", flow.RunVerdict{Hops: []flow.HopVerdict{seen},
			Problems: []string{"log: 3 lines lost"}}, "", fault.Incomplete, "3 lines lost"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var allowed []string
			if tc.allowed != "" {
				allowed = strings.Split(tc.allowed, ",")
			}
			err := Passes(tc.verdict, allowed)
			if fault.Of(err) != tc.kind || err != nil && !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("Passes: %v (kind %q), want %q and %q", err, fault.Of(err), tc.reason, tc.kind)
			}
		})
	}
}
