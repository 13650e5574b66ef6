package upstream

import "testing"

// TestSeenAs is what a connection shows of a host: of a name that DNS has to resolve, the port.
func TestSeenAs(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1:80", "[2001:db8::1]:443": "[2001:db8::1]:443",
		"example.com:80": "*:80", "localhost:9": "*:9",
		"unix:/var/run/x": "unix:/var/run/x", "envoy://inside/": "envoy://inside/", "unknown": "unknown",
	} {
		if got := seenAs(address); got != want {
			t.Errorf("%s is seen as %s, want %s", address, got, want)
		}
	}
}
