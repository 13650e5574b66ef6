package observe

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// notInstruments are folders of this package that hold none.
var notInstruments = []string{"instrument", "observetest", "testdata"}

// TestEveryInstrumentIsListed: a new instrument is a folder here and a line in instruments.go.
func TestEveryInstrumentIsListed(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	folders := 0
	for _, e := range entries {
		if !e.IsDir() || slices.Contains(notInstruments, e.Name()) {
			continue
		}
		folders++
		if _, err := os.Stat(e.Name() + "/instrument.go"); err != nil {
			t.Errorf("%s has no instrument.go (a folder that holds no instrument stands in notInstruments)", e.Name())
		}
	}
	names := map[flow.Instrument]bool{}
	for _, i := range Instruments() {
		if names[i.Name()] {
			t.Errorf("two instruments are named %s", i.Name())
		}
		names[i.Name()] = true
		if len(i.Sees()) == 0 {
			t.Errorf("%s sees nothing", i.Name())
		}
		if seen, watches, err := i.Observe(instrument.Evidence{}); len(seen) > 0 || len(watches) > 0 || err != nil {
			t.Errorf("%s tells of no evidence: %d observations, %d watches, %v", i.Name(), len(seen), len(watches), err)
		}
	}
	if folders != len(names) {
		t.Errorf("%d folders and %d instruments in the list", folders, len(names))
	}
}

// TestEveryHopHasAWitness: for each kind of hop a report can say which instrument would have seen
// it.
func TestEveryHopHasAWitness(t *testing.T) {
	for _, hop := range flow.Hops {
		if hop.Kind == flow.NodePort {
			continue // its facts are those of the hops behind it
		}
		if !slices.ContainsFunc(Instruments(), func(i Instrument) bool {
			return slices.ContainsFunc(i.Sees(), func(c flow.Capability) bool { return c.Kind == hop.Kind })
		}) {
			t.Errorf("no instrument says that it sees %s", hop.Kind)
		}
	}
}

// TestSeesIsWhatIsSeen holds what an instrument says it sees at best against what it claimed, and
// told, of recorded evidence: of the instruments' own, and of whole runs in a lab.
func TestSeesIsWhatIsSeen(t *testing.T) {
	r := recording(t)
	r.AccessLog = "JSON"
	r.Client.Keep(instrument.StatsBefore, file(t, "stats/testdata/client-cold-before.txt"))
	r.Client.Keep(instrument.StatsAfter, file(t, "stats/testdata/client-cold-after.txt"))
	seen, watches, err := r.Observe()
	if err != nil {
		t.Fatal(err)
	}
	bundles, err := filepath.Glob("../bundle/testdata/*/run.json")
	if err != nil || len(bundles) == 0 {
		t.Fatalf("no run is recorded: %v", err)
	}
	for _, name := range bundles {
		var run flow.Run
		if err := json.Unmarshal(file(t, name), &run); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen, watches = append(seen, run.Observations...), append(watches, run.Watches...)
	}
	best := map[flow.Instrument][]flow.Capability{}
	for _, i := range Instruments() {
		best[i.Name()] = i.Sees()
	}
	says := func(name flow.Instrument, kind flow.HopKind, fact, value string) bool {
		return slices.ContainsFunc(best[name], func(c flow.Capability) bool {
			return c.Kind == kind && c.Fact == fact && (c.Value == "" || c.Value == value)
		})
	}
	missing := map[string]bool{}
	for _, w := range watches {
		for _, c := range w.Sees {
			if !says(w.Instrument, c.Kind, c.Fact, c.Value) {
				missing[fmt.Sprintf("%s could see %s %s %s, and does not say so at best",
					w.Instrument, c.Kind, c.Fact, c.Value)] = true
			}
		}
	}
	for _, o := range seen {
		for _, f := range o.Facts {
			if f.Name != flow.FactOrder && !says(o.Instrument, o.Kind, f.Name, f.Value) {
				missing[fmt.Sprintf("%s saw %s %s=%s, and does not say that it can",
					o.Instrument, o.Kind, f.Name, f.Value)] = true
			}
		}
	}
	for _, text := range slices.Sorted(maps.Keys(missing)) {
		t.Error(text)
	}
}
