package stats

import "testing"

// TestInterim holds which statuses are no answer yet: Envoy counts a 100 that the application sends
// before its own answer.
func TestInterim(t *testing.T) {
	for code, want := range map[string]bool{
		"100": true, "102": true, "103": true, "101": false, "200": false, "503": false,
	} {
		if interim(code) != want {
			t.Errorf("%s: %v, want %v", code, !want, want)
		}
	}
}
