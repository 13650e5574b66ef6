package upstream

import (
	"slices"
	"testing"
)

// TestUnsaidHeaders says which headers may be added on the way without the configuration saying so.
func TestUnsaidHeaders(t *testing.T) {
	for name, want := range map[string]bool{"x-envoy-attempt-count": true, "x-forwarded-client-cert": true,
		"traceparent": true, "user-agent": true,
		"x-hostile": false, "authorization": false, "cookie": false, "x-b3": false, "acceptable": false} {
		if got := slices.ContainsFunc(unsaid, func(u string) bool { return isUnsaid(u, name) }); got != want {
			t.Errorf("%s may be added unsaid: %v, want %v", name, got, want)
		}
	}
}
