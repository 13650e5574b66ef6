//go:build linux && amd64

package capture

import (
	"net/netip"
	"testing"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/testbed"
)

// TestClusterOfEachEntry reads the cluster of requests that Envoy routes by each kind of route
// entry: by the join, and by what its router calls.
func TestClusterOfEachEntry(t *testing.T) {
	needRoot(t)
	for version, path := range binaries(t) {
		t.Run(version, func(t *testing.T) {
			proof, err := envoybinary.Cache{Dir: t.TempDir()}.Ensure(t.Context(), path, Prove)
			if err != nil {
				t.Fatal(err)
			}
			bed, err := testbed.New(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := bed.Close(); err != nil {
					t.Error(err)
				}
			})
			want := map[netip.AddrPort]string{}
			recipes, sources := proof.Recipes(nil)
			seen, err := watchProcess(bed.PID(), recipes, sources, func() error {
				for _, r := range bed.Routes {
					for _, e := range testbed.Entries {
						client, err := bed.Once(r.Port, r.By(e)...)
						if err != nil {
							return err
						}
						want[client] = r.Cluster
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(want) != len(bed.Routes)*len(testbed.Entries) {
				t.Errorf("%d connections", len(want))
			}
			for client, cluster := range want {
				got := seen.Connections[client]
				if len(got.Requests) != 1 || got.Requests[0].Cluster != cluster {
					t.Errorf("joined as %+v, want one request to %s", got.Requests, cluster)
				}
				n := 0
				for _, v := range got.Values {
					if v.Name == envoy.ProbeCluster {
						n++
						if v.Text != cluster {
							t.Errorf("read %q, want %s", v.Text, cluster)
						}
					}
				}
				if n != 1 {
					t.Errorf("%d clusters were read of one request to %s", n, cluster)
				}
			}
		})
	}
}
