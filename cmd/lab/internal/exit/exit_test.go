package exit_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/fault"
)

func TestCode(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing went wrong", nil, exit.OK},
		{"a hop was refuted", fault.Mismatchf("verify run: 1 hop refuted"), exit.Mismatch},
		{"unknown scenario", fault.Usagef("find scenario %q: there is none", "inbond"), exit.Usage},
		{"no root", fault.Environmentf("check root: uid 1000 (run as root)"), exit.Environment},
		{"a hop was not observed", fault.Incompletef("verify run: 1 hop not observed"), exit.Incomplete},
		{"wrapped, the inner code counts", fmt.Errorf("run inbound: %w", fault.Usagef("x")), exit.Usage},
		{"foreign errors are the environment's", errors.New("connection refused"), exit.Environment},
		{"a program that was run has its own", fmt.Errorf("run: %w", &exit.Error{Code: 7, Err: errors.New("x")}), 7},
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
	codes := constants(t, "exit.go", token.INT)
	if len(codes) < 6 {
		t.Errorf("%d codes were found", len(codes))
	}
	for name, value := range codes {
		if !regexp.MustCompile(`\b` + value + ` (when|on|for) `).MatchString(exit.Sentence()) {
			t.Errorf("%s is %s, and the sentence does not say when: %s", name, value, exit.Sentence())
		}
	}
}

// TestEveryKindHasItsCode holds that no kind of fault ends the command with another kind's code.
func TestEveryKindHasItsCode(t *testing.T) {
	kinds := constants(t, "../../../../harness/fault/fault.go", token.STRING)
	if len(kinds) < 6 {
		t.Errorf("%d kinds were found", len(kinds))
	}
	of := map[int]string{exit.Code(nil): "None"}
	for name, value := range kinds {
		if value == `""` {
			continue
		}
		code := exit.Code(&fault.Error{Kind: fault.Kind(strings.Trim(value, `"`)), Err: errors.New("x")})
		if other, taken := of[code]; taken {
			t.Errorf("%s ends with %d, as %s does", name, code, other)
		}
		of[code] = name
	}
}

// constants are the constants of a file that have a literal of a kind: the literal, by the name.
func constants(t *testing.T, name string, kind token.Token) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.ValueSpec)
		if !ok || len(c.Names) != 1 || len(c.Values) != 1 {
			return true
		}
		if value, ok := c.Values[0].(*ast.BasicLit); ok && value.Kind == kind {
			found[c.Names[0].Name] = value.Value
		}
		return true
	})
	return found
}
