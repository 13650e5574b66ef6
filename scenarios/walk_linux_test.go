package scenarios_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/internal/kube/kubetest"
	"github.com/flowproof/lab/internal/terminaltest"
)

// TestWalk walks the lesson inbound on the shared lab as a newcomer does: by make, on a
// terminal, from the first sentence to the table at its end, with right, wrong and skipped
// answers, a hint and a shell.
func TestWalk(t *testing.T) {
	if missing != "" {
		t.Skip(missing)
	}
	if _, err := exec.LookPath("make"); err != nil && os.Getenv("CI") == "" {
		t.Skip("there is no make")
	}
	suite.Test(
		t,
		features.New("walk").
			Assess("goes to its end", func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
				before, levels := look(ctx, t, provider.GetKubeconfig())
				walkInbound(ctx, t)
				after, now := look(ctx, t, provider.GetKubeconfig())
				for _, change := range kubetest.Changes(before, after) {
					t.Error(change)
				}
				if !maps.Equal(levels, now) {
					t.Errorf("log levels were %v, are %v", levels, now)
				}
				return ctx
			}).
			Feature(),
	)
}

// walkInbound types at each question what a learner might, and holds what the screen says.
func walkInbound(ctx context.Context, t *testing.T) {
	cmd := exec.CommandContext(ctx, "make", "--silent", "walk", "LABFLAGS=--backend "+*backendName+" --name "+*labName)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "TERM=xterm", "NO_COLOR=1", "LC_ALL=en_US.UTF-8")
	screen, err := terminaltest.Open(t, " > ", terminaltest.Learner(map[int][]string{
		1: {
			"15001",
		}, 2: {"h", "virtualOutbound"}, 3: {"clear text"}, 5: {"outbound"}, 9: {"! kubectl get pods -o name", "15006"},
		10: {"virtualInbound"}, 12: {"?", "1"}, 13: {"mutual TLS"}, 15: {"http1"}, 21: {"127.0.0.6"},
	})).Run(t, cmd)
	if err != nil {
		t.Fatalf("make walk: %v\n%s", err, screen)
	}
	for _, want := range []string{
		"No: virtualOutbound is not it.", "pod/fortio-server\n", "26 of 26 hops seen",
		"restore the log level of netshoot.mark",
		"What you said, what was inferred, what was seen", "21. server/connect upstream.local", "✓ Done: inbound",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("the walk does not say %q", want)
		}
	}
	if m := score.FindStringSubmatch(screen); m == nil || m[2] != "11" {
		t.Errorf("the score is %q:\n%s", m, screen)
	}
}

// score is how a walk ends: how many answers were right, and how many were skipped.
var score = regexp.MustCompile(`(\d+) of 21 right, (\d+) skipped, 0 not asked\.`)
