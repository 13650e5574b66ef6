package page

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/observe/envoylog"
)

// TestLogDrawing draws logs in which parts of Envoy speak in any order: every line has a place
// below the one before it in its part, every arrow is there, and no two arrows lie upon each
// other.
func TestLogDrawing(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 15))
		var said []LogLine
		for range 1 + random.IntN(60) {
			var l LogLine
			l.Component = envoylog.Components[random.IntN(len(envoylog.Components))]
			l.Message = strings.Repeat("word ", random.IntN(30))
			said = append(said, l)
		}
		down, up := jumps(said)
		for _, all := range []map[int]*jump{down, up} {
			for i, a := range all {
				for j, b := range all {
					if i != j && a.track == b.track && a.from < b.to && b.from < a.to {
						t.Errorf("seed %d: arrows %d and %d lie upon each other", seed, i, j)
					}
				}
			}
		}
		lines, _, height := stacked("log", said, 60, 240)
		at := map[envoylog.Component]int{}
		for _, l := range lines {
			if l.y < at[l.Component] || l.y+l.h > height {
				t.Errorf("seed %d: line %d does not stand below the one before it", seed, l.number)
			}
			at[l.Component] = l.y + l.h
		}
		svg := LogDrawing("log", "a log", said)
		if n := strings.Count(svg, `<path class="arrow"`); n != len(said)-1 {
			t.Errorf("seed %d: %d lines have %d arrows", seed, len(said), n)
		}
	}
	if LogDrawing("log", "no log", nil) != "" {
		t.Error("a log without lines is drawn")
	}
}
