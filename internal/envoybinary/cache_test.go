package envoybinary

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBuildIDNamesAFile(t *testing.T) {
	for _, c := range []struct {
		id   string
		want bool
	}{
		{"0123456789abcdef", true},
		{strings.Repeat("a", 8), true},
		{strings.Repeat("a", 7), false},
		{strings.Repeat("a", 128), true},
		{strings.Repeat("a", 129), false},
		{"ABCDEF0123", false},
		{"0123/../4567", false},
		{"01234567\n", false},
		{"", false},
	} {
		if got := validBuildID(c.id); got != c.want {
			t.Errorf("build id %q can name a file: %t", c.id, got)
		}
	}
}

// TestForgedBuildID holds that a binary which claims the build id of another is not taken for it:
// what was proven of one is not found for the other.
func TestForgedBuildID(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	forged := filepath.Join(t.TempDir(), "envoy")
	if err := os.WriteFile(forged, append(text, "another program"...), 0o700); err != nil {
		t.Fatal(err)
	}
	real, err := Identify(self)
	if err != nil {
		t.Skipf("the test's own program has no build id: %v", err)
	}
	other, err := Identify(forged)
	if err != nil {
		t.Fatal(err)
	}
	if real.ID != other.ID {
		t.Fatalf("the build ids %s and %s differ", real.ID, other.ID)
	}
	cache := Cache{t.TempDir()}
	proof := &Proof{Schema: ProofSchema, BuildID: other.ID, Sum: other.Sum, Table: &Table{Schema: TableSchema}}
	if err := cache.Keep(proof); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := cache.Find(real); ok || err != nil {
		t.Errorf("what was proven of the forged binary is found for the real one: %t, %v", ok, err)
	}
	if _, ok, err := cache.Find(other); !ok || err != nil {
		t.Errorf("what was proven is not found again: %t, %v", ok, err)
	}
}
