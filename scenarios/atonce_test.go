package scenarios_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"maps"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/harness/mesh"
)

var traces = flag.Int("traces", 6, "how many traces three processes send at once")

// TestTracesAtOnce has three processes trace on the same sidecars, and kills those of the
// third while log levels are raised. No verdict is another one for that, and in the end
// every level is as it was.
func TestTracesAtOnce(t *testing.T) {
	switch {
	case missing != "":
		t.Skip(missing)
	case *backendName != "node":
		t.Skip("the processes trace on the embedded node")
	}
	suite.Test(t, features.New("traces").Assess("at once leave the levels", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		bin := buildLab(ctx, t)
		_, before := look(ctx, t, provider.GetKubeconfig())
		var working sync.WaitGroup
		for process := range 3 {
			working.Go(func() {
				for n := process; n < *traces; n += 3 {
					traceOnce(ctx, t, bin, n%3 == 2)
				}
			})
		}
		working.Wait()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		for pause := time.NewTicker(time.Second); ; {
			_, after := look(ctx, t, provider.GetKubeconfig())
			if maps.Equal(before, after) {
				return ctx
			}
			select {
			case <-pause.C:
			case <-ctx.Done():
				t.Fatalf("log levels were %v, are %v", before, after)
			}
		}
	}).Feature())
}

// traceOnce is one trace in a process of its own. One that is killed is so when a sidecar's
// level is raised, by whichever trace: then the lease that it holds or waits for is
// another's to put right.
func traceOnce(ctx context.Context, t *testing.T, bin string, kill bool) {
	cmd := exec.CommandContext(ctx, bin+"/lab", "trace", "-q", "--from", "netshoot", "--to",
		"http://fortio-server:8080/")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if !kill {
		failed, err := (*exec.ExitError)(nil), <-ended
		if err != nil && (!errors.As(err, &failed) || failed.ExitCode() != 4) { // it may be incomplete, and says why
			t.Errorf("a trace beside others: %v\n%s", err, out.Bytes())
		}
		return
	}
	for pause := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-ended:
			return
		case <-pause.C:
		}
		if m, err := mesh.Connect(provider.GetKubeconfig()); err == nil {
			if levels, err := levelsOf(ctx, m, "fortio-server"); err == nil && strings.Contains(levels, ":debug") {
				_ = cmd.Process.Kill()
				t.Logf("killed: %v", <-ended)
				return
			}
		}
	}
}
