package cluster

import (
	"strings"
	"testing"
)

func TestLabNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"": true, "lab": true, "second-lab": true, "a": true, strings.Repeat("x", 32): true,
		Bakery: false, "Lab": false, "-lab": false, "lab-": false, "../lab": false, "a b": false,
		strings.Repeat("x", 33): false, "läb": false,
	} {
		if _, err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q): %v, want a good name: %v", name, err, ok)
		}
	}
}
