package redact

import (
	"os"
	"testing"
)

// BenchmarkText redacts a recorded debug log.
func BenchmarkText(b *testing.B) {
	text, err := os.ReadFile("../../harness/observe/envoylog/testdata/server-1.40.log")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Text(string(text))
	}
}
