package probe

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestProblems(t *testing.T) {
	first := errors.New("problem 0")
	for _, tt := range []struct {
		n    int
		last string
	}{{1, "problem 0"}, {10, "problem 9"}, {11, "and 1 more"}, {1_000_000, "and 999990 more"}} {
		var p Problems
		p.Add(nil)
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		for i := range tt.n {
			if p.Add(nil); i == 0 {
				p.Add(first)
			} else {
				p.Add(fmt.Errorf("problem %d", i))
			}
		}
		lines := strings.Split(p.Err().Error(), "\n")
		if len(lines) > keptProblems+1 || lines[len(lines)-1] != tt.last || !errors.Is(p.Err(), first) {
			t.Errorf("of %d: %q", tt.n, lines)
		}
	}
}
