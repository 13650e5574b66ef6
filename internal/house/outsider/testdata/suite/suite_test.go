// Package suite is a suite of e2e-framework in another project that runs on a lab, with a request
// that is inferred, sent and verified.
package suite

import (
	"context"
	"errors"
	"os"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/harness/cluster/e2e"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/verify"
)

var testenv = env.New()

func TestMain(m *testing.M) {
	e2e.Main()
	if e2e.Missing() != "" {
		os.Exit(0)
	}
	provider := e2e.NewNode()
	testenv.Setup(envfuncs.CreateCluster(provider, "outsider"))
	testenv.Finish(provider.Finish)
	os.Exit(testenv.Run(m))
}

func TestRequest(t *testing.T) {
	if len(observe.Instruments()) < 7 {
		t.Fatal("an instrument is missing")
	}
	testenv.Test(t, features.New("a request").Assess("is verified", verified).Feature())
}

func verified(ctx context.Context, t *testing.T, c *envconf.Config) context.Context {
	m, err := mesh.Connect(c.KubeconfigFile())
	if err != nil {
		t.Fatal(err)
	}
	call, err := run.NewCall("netshoot", "http://fortio-server:8080/", m.Namespace())
	if err != nil {
		t.Fatal(err)
	}
	result, err := run.Do(ctx, run.Lab{Mesh: run.Of(m)}, run.Plan{Call: call}, t.Logf)
	if errors.Is(err, mesh.ErrNoPod) {
		t.Skip("the workshop's pods are not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	if verdict := verify.Judge(result.Run); verdict.Result != flow.Verified {
		t.Errorf("%s: %q", verdict.Result, verdict.Problems)
	}
	return ctx
}
