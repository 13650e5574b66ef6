package capture

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestIdentify reads a binary again when its bytes may be others: also where its size and the time
// that it claims are the same.
func TestIdentify(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path, claimed := filepath.Join(t.TempDir(), "envoy"), time.Unix(1, 0)
	write := func(text []byte) {
		if err := os.WriteFile(path, text, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, claimed, claimed); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	first, err := identify(path)
	if err != nil {
		t.Skipf("the test's own program has no build id: %v", err)
	}
	if again, err := identify(path); err != nil || again != first {
		t.Errorf("the same file is %v, %v; and was %v", again, err, first)
	}
	text[len(text)/2]++
	write(text)
	if other, err := identify(path); err != nil || other.ID != first.ID || other.Sum == first.Sum {
		t.Errorf("a file with one other byte is %v, %v; and was %v", other, err, first)
	}
}
