package exit_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"testing"

	"github.com/flowproof/lab/internal/exit"
)

func TestCode(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing went wrong", nil, exit.OK},
		{"a hop was refuted", exit.Mismatchf("verify run: 1 hop refuted"), exit.Mismatch},
		{"unknown scenario", exit.Usagef("find scenario %q: there is none", "inbond"), exit.Usage},
		{"no root", exit.Environmentf("check root: uid 1000 (run as root)"), exit.Environment},
		{"a hop was not observed", exit.Incompletef("verify run: 1 hop not observed"), exit.Incomplete},
		{"wrapped, the inner code counts", fmt.Errorf("run inbound: %w", exit.Usagef("x")), exit.Usage},
		{"foreign errors are the environment's", errors.New("connection refused"), exit.Environment},
		{"Ctrl-C", fmt.Errorf("read log: %w", context.Canceled), exit.Interrupted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := exit.Code(tc.err); got != tc.want {
				t.Errorf("Code(%v) = %d, want %d", tc.err, got, tc.want)
			}
		})
	}
}

// TestEveryCodeHasItsMeaning holds that each constant stands in the sentence that help and README
// have.
func TestEveryCodeHasItsMeaning(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.ValueSpec)
		if !ok || len(c.Names) != 1 || len(c.Values) != 1 {
			return true
		}
		value, ok := c.Values[0].(*ast.BasicLit)
		if !ok || value.Kind != token.INT {
			return true
		}
		if codes++; !regexp.MustCompile(`\b` + value.Value + ` (when|on|for) `).MatchString(exit.Sentence()) {
			t.Errorf("%s is %s, and the sentence does not say when: %s", c.Names[0].Name, value.Value, exit.Sentence())
		}
		return true
	})
	if codes < 6 {
		t.Errorf("%d codes were found", codes)
	}
}
