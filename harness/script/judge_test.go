package script

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/exit"
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
		code    int
		reason  string
	}{
		{"all seen", flow.RunVerdict{Hops: []flow.HopVerdict{seen}}, "", exit.OK, ""},
		{"one not seen", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen}}, "", exit.Incomplete, "not observed: server/route"},
		{"one not seen, and named", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen}}, "server/route", exit.OK, ""},
		{"one not seen, its kind named", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen}}, "route", exit.OK, ""},
		{"the other side named", flow.RunVerdict{Hops: []flow.HopVerdict{seen, unseen}}, "client/route", exit.Incomplete, "-allow-unobserved names client/route, which is none of them"},
		{"seen although named", flow.RunVerdict{Hops: []flow.HopVerdict{seen}}, "cluster", exit.Usage, `no hop "cluster" stayed unobserved`},
		{"refuted, and naming does not help", flow.RunVerdict{Refuted: 1, Hops: []flow.HopVerdict{hop(flow.Server, flow.Route, flow.Refuted), unseen}}, "server/route", exit.Mismatch, "1 of 2 hops refuted"},
		{"an instrument lost something", flow.RunVerdict{Hops: []flow.HopVerdict{seen}, Problems: []string{"log: 3 lines lost"}}, "", exit.Incomplete, "3 lines lost"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var allowed []string
			if tc.allowed != "" {
				allowed = strings.Split(tc.allowed, ",")
			}
			err := Passes(tc.verdict, allowed)
			if exit.Code(err) != tc.code || err != nil && !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("Passes: %v (exit code %d), want %q and %d", err, exit.Code(err), tc.reason, tc.code)
			}
		})
	}
}

func TestAtLeast(t *testing.T) {
	for _, tc := range []struct {
		have, want string
		holds      bool
	}{
		{"6.18.44-generic", "5.8", true},
		{"5.8.0", "5.8", true},
		{"5.8", "5.8.1", false},
		{"5.10.0-9-amd64", "5.8", true},
		{"4.19+", "5.8", false},
		{"5.4.0", "5", true},
	} {
		if holds, err := atLeast(tc.have, tc.want); err != nil || holds != tc.holds {
			t.Errorf("atLeast(%q, %q) = %v, %v", tc.have, tc.want, holds, err)
		}
	}
	for _, wrong := range []string{"", "five", "5.x"} {
		if _, err := atLeast("6.1.0", wrong); err == nil {
			t.Errorf("version %q was accepted", wrong)
		}
	}
	if _, err := atLeast("", "5.8"); err == nil {
		t.Error("an empty release was accepted")
	}
}

func TestIstioFilters(t *testing.T) {
	for _, tc := range []struct {
		name, extensions string
		want             bool
	}{
		{"Istio's proxy", `[{"name":"envoy.filters.http.router"},{"name":"istio.stats"}]`, true},
		{"upstream Envoy", `[{"name":"envoy.filters.http.router"}]`, false},
	} {
		dump := []byte(`{"configs":[{"bootstrap":{"node":{"extensions":` + tc.extensions + `}}}]}`)
		if got, err := hasIstioFilters(dump); err != nil || got != tc.want {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
	if _, err := hasIstioFilters([]byte("{")); err == nil {
		t.Error("a truncated dump was accepted")
	}
}

func TestRemoveRefusesOtherDirectories(t *testing.T) {
	for _, dir := range []string{"/", "/etc", "flowproof-run-1", "/tmp/flowproof-run-1/..", "/tmp/other"} {
		raw, err := json.Marshal(dir)
		if err != nil {
			t.Fatal(err)
		}
		if removeWorkDir(t.Context(), raw) == nil {
			t.Errorf("%s would have been removed", dir)
		}
	}
}
