package verify_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
)

// TestKeptRuns judges every recorded run again: its observations come to the verdict that was kept
// with it, hop by hop.
func TestKeptRuns(t *testing.T) {
	const kept = "../bundle/testdata"
	entries, err := os.ReadDir(kept)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	for _, e := range entries {
		_, err := os.Stat(filepath.Join(kept, e.Name(), "run.json"))
		if errors.Is(err, fs.ErrNotExist) || e.Name() == "v1" { // v1 has the facts of an older version
			continue
		}
		contents, err := bundle.Read(t.Context(), filepath.Join(kept, e.Name()))
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
			continue
		}
		runs++
		states := func(v flow.RunVerdict) (all []flow.State) {
			for _, h := range v.Hops {
				all = append(all, h.State)
			}
			return all
		}
		got, want := verify.Judge(contents.Run), contents.Verdict
		if got.Result != want.Result || !slices.Equal(states(got), states(want)) {
			t.Errorf("%s: %s, kept as %s", e.Name(), verify.Summary(got), verify.Summary(want))
		}
	}
	if runs < 5 {
		t.Errorf("%d recorded runs were found", runs)
	}
}
