package envoylog

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

// TestTally counts the streams of each recorded log that came with its first x-request-id, at once
// and as the log grows line by line.
func TestTally(t *testing.T) {
	anID := regexp.MustCompile(`complete \(end_stream=[^\n]*\n(?:'[^\n]*\n)*'x-request-id', '([^']+)'`)
	for file, want := range map[string]int{"client-1.40.log": 1, "server-1.40.log": 1, "client-retries-1.40.log": 0,
		"client-http2-1.40.log": 1, "client-tcp-1.40.log": 0} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		id := "none"
		if m := anID.FindSubmatch(text); m != nil {
			id = string(m[1])
		}
		whole, grown := Tally{ID: id}, Tally{ID: id}
		whole.Add(text)
		for line := range bytes.Lines(text) {
			grown.Add(line)
		}
		if whole.Streams != want || grown.Streams != want {
			t.Errorf("%s: %d streams at once and %d line by line, want %d", file, whole.Streams, grown.Streams, want)
		}
	}
}
