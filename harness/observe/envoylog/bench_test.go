package envoylog

import (
	"os"
	"strings"
	"testing"
)

// BenchmarkObserve reads and observes a log of 20 MB in which the request is one of some thousands.
func BenchmarkObserve(b *testing.B) {
	one, err := os.ReadFile("testdata/server-1.40.log")
	if err != nil {
		b.Fatal(err)
	}
	other := strings.ReplaceAll(string(one), cold, "00000000-9c1e-4f0a-8d6b-0a1b2c3d4e5f")
	text := strings.Repeat(other, 230) + string(one) + strings.Repeat(other, 230)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		lines, err := ReadAll(strings.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		Observe(lines, Selection{RequestID: cold})
	}
}
