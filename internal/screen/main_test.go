package screen_test

import (
	"os"
	"testing"
)

// TestMain lets writers write signs of Unicode, in any locale of the machine.
func TestMain(m *testing.M) {
	_ = os.Setenv("LC_ALL", "C.UTF-8")
	os.Exit(m.Run())
}
