package scenarios_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/progress"
)

var callers = flag.Int("callers", 0, "how many callers send requests at once while others are traced; 0: 20 in a CI")

// Traces that callers send requests beside, and how often is tried whether more fail for them.
// Where they fail by chance, more of them do so beside the traces in at most half of the tries, and
// in each of twenty once in a million.
const (
	tracesBeside = 2
	harmTries    = 20
)

// TestTracesHarmNoCaller has callers send requests from the pod that is traced to the one that is
// called, beside traces as on a stranger's cluster and then for as long without: no more of them
// fail. A request that failed by chance is told from one that was harmed by trying again.
func TestTracesHarmNoCaller(t *testing.T) {
	n := *callers
	if n == 0 && os.Getenv("CI") == "true" {
		n = 20
	}
	switch {
	case missing != "":
		t.Skip(missing)
	case n == 0:
		t.Skip("it takes a while; -callers N asks for it")
	}
	suite.Test(t, features.New("callers").Assess("are not harmed", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		for try := 1; !harmless(ctx, t, n); try++ {
			if try == harmTries {
				t.Fatalf("each time more requests of %d callers failed beside traces than without, or no trace "+
					"came to its end", n)
			}
		}
		t.Logf("%d callers not harmed", n)
		return ctx
	}).Feature())
}

// harmless says whether no more requests of callers fail beside traces than without. It is false
// where no trace came to its end.
func harmless(ctx context.Context, t *testing.T, callers int) bool {
	backend := existing.New(existing.Target{Kubeconfig: provider.GetKubeconfig()})
	lab, err := backend.Up(ctx, cluster.Options{}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.ConnectContext(lab.Kubeconfig, lab.Context)
	if err != nil {
		t.Fatal(err)
	}
	traced := make(chan struct{})
	whole := 0
	go func() {
		defer close(traced)
		for range tracesBeside {
			if err := traceOf(ctx, lab, backend, m); err != nil {
				t.Logf("trace beside callers: %v", err)
				continue
			}
			whole++
		}
	}()
	beside, rounds := 0, 0
	for tracing := true; tracing; rounds++ {
		beside += failures(ctx, t, m, callers)
		select {
		case <-traced:
			tracing = false
		default:
		}
	}
	if whole == 0 {
		return false
	}
	alone := 0
	for range rounds {
		if alone >= beside {
			break
		}
		alone += failures(ctx, t, m, callers)
	}
	t.Logf("%d callers, %d rounds beside traces: %d failures, without any %d", callers, rounds, beside, alone)
	return beside <= alone
}

// traceOf is `lab trace` on a cluster that is not the lab's own: nothing is changed there.
func traceOf(ctx context.Context, lab *cluster.Lab, backend cluster.Backend, m *mesh.Mesh) error {
	from, err := m.Sender(ctx, "netshoot")
	if err != nil {
		return err
	}
	call, err := runs.NewCall(from, "http://fortio-server:8080/", m.Namespace())
	if err != nil {
		return err
	}
	_, err = runs.Do(ctx, runs.Lab{Mesh: runs.Of(m), Cluster: lab, Backend: backend,
		Guard: []string{os.Args[0], "__undo"}, Bounds: &runs.Bounds{}}, runs.Plan{Call: call, Keep: true,
		Unasked: true, Without: []flow.Instrument{flow.EnvoyLog}}, func(string, ...any) {})
	return err
}

// failures has callers send requests, each one after the other, and counts those that are not
// answered with 200.
func failures(ctx context.Context, t *testing.T, m *mesh.Mesh, callers int) int {
	pod, err := m.Pod(ctx, "netshoot")
	if err != nil {
		t.Error(err)
		return 0
	}
	const each = 20 // requests of a caller, of 100 ms
	url := fmt.Sprintf("http://fortio-server:8080/?delay=100ms&n=[1-%d]", callers*each)
	out, err := pod.Exec(ctx, pod.App(), []string{"curl", "--silent", "--parallel", "--parallel-immediate",
		"--parallel-max", strconv.Itoa(callers), "--output", "/dev/null", "--write-out", `%{http_code}\n`, url}, nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	codes := strings.Fields(string(out.Stdout))
	if len(codes) != callers*each {
		t.Errorf("%d answers of %d: %s", len(codes), callers*each, out.Stderr)
	}
	failed := 0
	for _, code := range codes {
		if code != "200" {
			failed++
		}
	}
	return failed
}
