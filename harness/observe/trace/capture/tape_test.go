package capture

import (
	"bytes"
	"testing"
)

func TestTape(t *testing.T) {
	samples := [][]byte{{}, []byte("a"), bytes.Repeat([]byte("b"), chunkBytes-10),
		bytes.Repeat([]byte("c"), 2*chunkBytes), []byte("d")}
	var tape tape
	for _, s := range samples {
		tape.add(s)
	}
	var played [][]byte
	tape.play(func(s []byte) { played = append(played, bytes.Clone(s)) })
	if len(played) != len(samples) {
		t.Fatalf("%d samples played, %d added", len(played), len(samples))
	}
	for i, s := range samples {
		if !bytes.Equal(played[i], s) {
			t.Errorf("sample %d: %d bytes played, %d added", i, len(played[i]), len(s))
		}
	}
	tape.play(func([]byte) { t.Error("a tape that was played is not empty") })
}

func TestFullTapeCounts(t *testing.T) {
	tape := tape{size: tapeBytes - 5}
	tape.add([]byte("1234"))
	tape.add([]byte("5678"))
	tape.add([]byte("9"))
	n := 0
	tape.play(func([]byte) { n++ })
	if n != 2 || tape.overflow != 1 {
		t.Errorf("%d samples kept and %d counted, want 2 and 1", n, tape.overflow)
	}
}
