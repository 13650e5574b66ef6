package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain lets this program be the processes that outlive their starter, as lab is: a test that
// traces starts itself as its guard. Without this the guard would be all tests once more.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "__") {
		os.Exit(Main(os.Args[1:]))
	}
	_ = os.Setenv("LC_ALL", "C.UTF-8") // what is compared has signs of Unicode, in any locale of the machine
	os.Exit(m.Run())
}
