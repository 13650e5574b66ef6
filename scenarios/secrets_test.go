package scenarios_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

// TestShowsNoSecret runs the test of the command that sends marked secrets, on the
// lab that all share.
func TestShowsNoSecret(t *testing.T) {
	if missing != "" {
		t.Skip(missing)
	}
	suite.Test(t, features.New("secrets").Assess("are nowhere", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		test := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^TestLabShowsNoSecret$", "../cmd/lab")
		test.Env = append(os.Environ(), "FLOWPROOF_KUBECONFIG="+provider.GetKubeconfig())
		if *backendName == "node" { // by its name eBPF takes part
			test.Env = append(test.Env, "FLOWPROOF_LAB="+*labName)
		}
		out, err := test.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if !testing.Short() {
			t.Logf("%s", out)
		}
		return ctx
	}).Feature())
}
