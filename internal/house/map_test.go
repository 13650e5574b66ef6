package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// place is a path in CONTRIBUTING.md.
var place = regexp.MustCompile("`((?:harness|internal|cmd|bpf|hack)/[^` ]*)`")

// mappedFrom are the folders whose own folders the map names.
var mappedFrom = []string{"harness", "internal", "cmd", "bpf", "hack"}

// TestMapNamesEveryFolder holds that CONTRIBUTING.md says of each folder what begins or ends there.
// That the map names no folder that there is none of is held beside the documentation's links.
func TestMapNamesEveryFolder(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, found := range place.FindAllStringSubmatch(string(text), -1) {
		parts := strings.Split(found[1], "/")
		named[parts[0]+"/"+parts[1]] = true
	}
	missed := map[string]bool{}
	for _, s := range sources(t) {
		parts := strings.Split(s.dir, "/")
		if len(parts) < 2 || !slices.Contains(mappedFrom, parts[0]) || strings.HasSuffix(s.dir, "test") {
			continue
		}
		if folder := parts[0] + "/" + parts[1]; !named[folder] && !missed[folder] {
			missed[folder] = true
			t.Errorf("CONTRIBUTING.md does not say what begins or ends in %s", folder)
		}
	}
}
