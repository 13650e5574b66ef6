package scenarios_test

import (
	"bytes"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/script"
)

// mostPage is how many bytes the page of a run may have: it is sent by mail and
// opened on a telephone.
const mostPage = 1_500_000

// pageIsSmall writes the page of a scenario's run, and holds that it is one file of a bounded size.
func pageIsSmall(t *testing.T, r *script.Result) {
	t.Helper()
	if r.Run == nil || r.Verdict == nil {
		return
	}
	sources := report.Sources{Dumps: map[string]*configdump.Dump{}, Recording: &r.Recording}
	for pod, text := range r.Dumps {
		dump, err := configdump.Parse(text)
		if err != nil {
			t.Errorf("read the dump of %s: %v", pod, err)
			continue
		}
		defer dump.Close()
		sources.Dumps[pod] = dump
	}
	var page bytes.Buffer
	if err := report.Write(&page, "html", *r.Run, *r.Verdict, report.Options{Sources: sources}); err != nil {
		t.Error(err)
	}
	if n := page.Len(); n == 0 || n >= mostPage {
		t.Errorf("the page of %s has %d bytes, and %d are too many", r.Scenario, n, mostPage)
	}
}
