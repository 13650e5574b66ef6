package golden

import "testing"

// TestCommandIsWhole holds that a file that differs is told with all that writes it.
func TestCommandIsWhole(t *testing.T) {
	const want = "CGO_ENABLED=0 go test ./internal/golden -run '^TestTables$' -update"
	if got := command("TestTables/of_help"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
