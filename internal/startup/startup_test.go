package startup

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestUsual holds that garbage is collected as usual after the first collection.
func TestUsual(t *testing.T) {
	deadline := time.After(time.Minute)
	for {
		runtime.GC()
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		if percent == 100 {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("GOGC is %d after a collection", percent)
		case <-time.After(time.Millisecond):
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(300))
	collectAsUsual(100)
	if percent := debug.SetGCPercent(300); percent != 300 {
		t.Errorf("GOGC is %d where the program had set 300", percent)
	}
}
