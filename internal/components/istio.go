package components

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// istioFile is the rendered manifest's name in its entry.
const istioFile = "istio.yaml"

// istioKey hashes the values and the istioctl that renders them, which carries its
// charts in itself.
func istioKey(istioctl key, values []byte) (key, error) {
	return newKey("istio").add("istioctl", istioctl.hash).bytes("values", values).key()
}

// render lets istioctl make the manifest ahead: applying it is faster than an install,
// which waits and polls.
func render(ctx context.Context, istioctl string, values []byte, w work) error {
	file := filepath.Join(w.scratch, "values.yaml")
	if err := os.WriteFile(file, values, 0o644); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(w.content, istioFile))
	if err != nil {
		return err
	}
	defer out.Close()
	// Without HOME and KUBECONFIG istioctl has no cluster to ask about.
	cmd := command{name: istioctl, args: []string{"manifest", "generate", "--filename", file}, stdout: out,
		env: []string{"HOME=" + w.scratch, "KUBECONFIG=/dev/null"}}
	if err := cmd.run(ctx); err != nil {
		return fmt.Errorf("render Istio manifest: %w", err)
	}
	return out.Close()
}
