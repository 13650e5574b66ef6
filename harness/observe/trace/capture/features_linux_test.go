//go:build linux && amd64

package capture

import (
	"os"
	"testing"
)

func TestFeatures(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root is needed to ask the kernel")
	}
	for _, f := range Features() {
		t.Logf("%-15s needed %-5v ok %-5v %s", f.Name, f.Needed, f.OK, f.Detail)
		if f.Needed && !f.OK {
			t.Errorf("%s: %s", f.Name, f.Detail)
		}
		if f.Detail == "" {
			t.Errorf("%s: nothing is said about it", f.Name)
		}
	}
}
