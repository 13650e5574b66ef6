package infer

import (
	"testing"

	"github.com/flowproof/lab/harness/configdump"
)

// recorded opens a dump that was taken from a sidecar of the workshop's lab. Annotations and the
// list of Envoy's extensions are left out of its node; Envoy itself redacts private keys.
func recorded(t testing.TB, pod string) *configdump.Dump {
	t.Helper()
	d, err := configdump.Open(t.Context(), "../../scenarios/dumps/"+pod+".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	return d
}
