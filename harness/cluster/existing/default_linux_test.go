package existing

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/trust"
	"github.com/flowproof/lab/internal/trust/trusttest"
)

// TestRootNeedsTheNameOfAStrangersKubeconfig has root find, under another user's HOME, a kubeconfig
// that would run a program.
func TestRootNeedsTheNameOfAStrangersKubeconfig(t *testing.T) {
	trusttest.NeedRoot(t)
	path := filepath.Join(t.TempDir(), "config")
	text := `{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],
clusters: [{name: a, cluster: {server: "http://a:1"}}], users: [{name: a, user: {exec: {command: /bin/evil,
apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}}]}`
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600),
		os.Chown(path, trusttest.Stranger, trusttest.Stranger)); err != nil {
		t.Fatal(err)
	}
	home := clientcmd.RecommendedHomeFile
	clientcmd.RecommendedHomeFile = path
	t.Cleanup(func() { clientcmd.RecommendedHomeFile = home })
	t.Setenv(clientcmd.RecommendedConfigPathEnvVar, "")
	_, _, err := Target{}.resolve()
	if !errors.Is(err, trust.ErrUntrusted) || fault.Of(err) != fault.Environment {
		t.Errorf("found: %v, want a refusal", err)
	}
	if _, _, err := (Target{Kubeconfig: path}).resolve(); err != nil {
		t.Errorf("named by --kubeconfig: %v", err)
	}
	for _, variable := range []string{path, "/nothing:" + path} {
		t.Setenv(clientcmd.RecommendedConfigPathEnvVar, variable)
		if _, _, err := (Target{}).resolve(); !errors.Is(err, trust.ErrUntrusted) {
			t.Errorf("named by KUBECONFIG=%s: %v, want a refusal", variable, err)
		}
	}
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (Target{}).resolve(); err != nil {
		t.Errorf("root's own, named by KUBECONFIG: %v", err)
	}
}
