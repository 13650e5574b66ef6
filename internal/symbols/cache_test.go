package symbols

import (
	"strings"
	"testing"
)

func TestBuildIDNamesAFile(t *testing.T) {
	for _, c := range []struct {
		id   string
		want bool
	}{
		{"0123456789abcdef", true},
		{strings.Repeat("a", 8), true},
		{strings.Repeat("a", 7), false},
		{strings.Repeat("a", 128), true},
		{strings.Repeat("a", 129), false},
		{"ABCDEF0123", false},
		{"0123/../4567", false},
		{"01234567\n", false},
		{"", false},
	} {
		if got := validBuildID(c.id); got != c.want {
			t.Errorf("build id %q can name a file: %t", c.id, got)
		}
	}
}
