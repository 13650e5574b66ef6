package components

import (
	"testing"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/progress"
)

func TestOptionsThatCannotBe(t *testing.T) {
	for name, o := range map[string]Options{
		"images of neither kind":           {Images: "foo"},
		"a version of Istio that is built": {Istio: "1.29.0"},
	} {
		if _, err := newMaker(o, progress.Quiet); fault.Of(err) != fault.Usage {
			t.Errorf("%s: %v with kind %q, want a usage error", name, err, fault.Of(err))
		}
	}
}
