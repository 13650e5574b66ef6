package page

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
)

// a newOne is an instrument that this package does not name.
type newOne struct{ observe.Instrument }

func (newOne) Name() flow.Instrument { return "new" }

func (newOne) Is(language string) string { return "an instrument, in " + language }

// TestEveryInstrumentHasAMark: a new instrument has its mark without being named here, and one that
// is gone has none.
func TestEveryInstrumentHasAMark(t *testing.T) {
	all := append(observe.Instruments(), newOne{})
	got := marked(all)
	if last := got[len(got)-1]; len(got) != len(all) || last != (instrumentMark{"new", "an instrument, in en"}) {
		t.Errorf("%d marks of %d instruments, the last is %+v", len(got), len(all), last)
	}
	for _, m := range got {
		if !slices.ContainsFunc(all, func(i observe.Instrument) bool { return i.Name() == m.name }) {
			t.Errorf("%s is no instrument, and harness/page/marks.go gives it a mark", m.name)
		}
		if m.about == "" {
			t.Errorf("the mark of %s has no words: harness/page/marks.go has none, and its instrument.go has no Is",
				m.name)
		}
	}
}
