package components

import (
	"testing"

	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/progress"
)

func TestOptionsThatCannotBe(t *testing.T) {
	for name, o := range map[string]Options{
		"images of neither kind":           {Images: "foo"},
		"a version of Istio that is built": {Istio: "1.29.0"},
	} {
		if _, err := newMaker(o, progress.Quiet); exit.Code(err) != exit.Usage {
			t.Errorf("%s: %v with code %d, want a usage error", name, err, exit.Code(err))
		}
	}
}
