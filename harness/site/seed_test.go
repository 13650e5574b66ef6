package site

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/page"
)

// TestSeedLog holds that the chapter's whole log is on its page: 40 lines, each with a part of
// Envoy and a note, and both peer metadata decoded.
func TestSeedLog(t *testing.T) {
	said, err := seedLines()
	if err != nil || len(said) != 40 {
		t.Fatalf("%d lines, not 40: %v", len(said), err)
	}
	for i, s := range said {
		if proves[s.Event] == "" {
			t.Errorf("nothing is said of L%02d %s", i+1, s.Message)
		}
	}
	c, err := bundle.Read(t.Context(), "../bundle/testdata/inbound")
	if err != nil {
		t.Fatal(err)
	}
	page, err := SeedLog(&page.Page{Recording: c.Recording})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"NAME = netshoot", "NAMESPACE = mark", "INSTANCE_IPS = 172.21.206.228", "ISTIO_VERSION = 1.14.3",
		"APP_CONTAINERS = main-app", "LABELS.app.kubernetes.io/name = fortio-server", "INSTANCE_IPS = 172.21.206.230",
		"never: it is Istio&#39;s own statistics extension", "at level trace since Envoy 1.30",
		"destroying stream: 0 active remaining",
		`<tr id="L40">`,
	} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	alone, err := SeedLog(nil)
	if err != nil || strings.Contains(alone.Body, "never: it is") || !strings.Contains(alone.Body, `<tr id="L40">`) {
		t.Errorf("without a run it is another page: %v", err)
	}
}

// FuzzPeerMetadata holds that any header gives sorted fields or an error.
func FuzzPeerMetadata(f *testing.F) {
	f.Add("ChwKDkFQUF9DT05UQUlORVJTEgoaCG5ldHNob290")
	f.Fuzz(func(t *testing.T, header string) {
		fields, err := PeerMetadata(header)
		if err == nil && !slices.IsSorted(fields) {
			t.Errorf("%q gives %q", header, fields)
		}
	})
}
