package trace

import "testing"

func TestLegible(t *testing.T) {
	for name, want := range map[string]bool{
		"outbound|8080||fortio-server.mark.svc.cluster.local": true, "PassthroughCluster": true, "": false,
		"b\x9er.\x9b:ݯo": false, // read from the route entry of one of two clusters with weights
		"a\x00b":         false,
	} {
		if got := legible(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}
