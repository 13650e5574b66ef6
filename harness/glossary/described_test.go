package glossary

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
)

// own is an instrument of a name, which says what it is.
type own struct {
	observe.Instrument
	name flow.Instrument
}

func (o own) Name() flow.Instrument { return o.name }

func (o own) Is(language string) string { return "an instrument, in " + language }

// TestInstrumentsDescribeThemselves: an instrument that no file of the glossary has brings its own
// words, and one that a file has keeps those.
func TestInstrumentsDescribeThemselves(t *testing.T) {
	items := map[string]item{string(flow.Curl): {Is: "kept"}}
	described(items, "zh", []observe.Instrument{own{name: "new"}, own{name: flow.Curl}})
	if len(items) != 2 || items["new"].Is != "an instrument, in zh" || items[string(flow.Curl)].Is != "kept" {
		t.Errorf("%+v", items)
	}
}
