package script

import (
	"encoding/json"
	"testing"
)

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
