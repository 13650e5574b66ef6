package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	kindsOfRequests = 73              // that the table of TestRequests has
	roundsOfKind    = 10              // that are wanted of each, one after the other without one that differs
	secondsOfRound  = 8 * time.Second // that a round takes, about: by curl alone and by lab
)

// kinds are the names of the kinds of requests, read from the table of the test that sends them, as
// the test's own names are: with lines for blanks.
func kinds(root string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "scenarios", "requestkinds_test.go"), nil, 0)
	if err != nil {
		return nil, fmt.Errorf("find the kinds of requests: %w", err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		field, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, named := field.Key.(*ast.Ident)
		value, text := field.Value.(*ast.BasicLit)
		if named && text && key.Name == "name" {
			if name, err := strconv.Unquote(value.Value); err == nil {
				all = append(all, strings.ReplaceAll(name, " ", "_"))
			}
		}
		return true
	})
	if len(all) == 0 {
		return nil, fmt.Errorf("find the kinds of requests: their table has none")
	}
	return all, nil
}

// requests sends kinds of requests for about a budget, those first of which the fewest rounds were
// sent so far. A round that differs lets its kind begin anew.
func (n *night) requests(budget time.Duration) result {
	all, err := kinds(".")
	if err != nil {
		return result{err: err}
	}
	sum := n.state.of("requests")
	defer func() { sum.Done, sum.Since = n.state.rounds(all), n.state.rounds(all) }()
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(n.state.Rounds[a], n.state.Rounds[b]) })
	room := max(1, int(budget/secondsOfRound))
	chosen := all[:min(room, len(all))]
	quoted := make([]string, len(chosen))
	for i, name := range chosen {
		quoted[i] = regexp.QuoteMeta(name)
	}
	log, err := n.execute("requests", []string{"go", "test", "./scenarios", "-v", "-count=1", "-timeout", "5h",
		"-run", "TestRequests/requests/are_told_right/^(" + strings.Join(quoted, "|") + ")$",
		"-args", "-requests", strconv.Itoa(min(roundsOfKind, max(1, room/len(all))))}, 2*budget+15*time.Minute)
	var r result
	r.failed(log, err)
	data, readErr := os.ReadFile(log)
	if readErr != nil {
		r.err = readErr
		return r
	}
	n.state.sent(data)
	return r
}

// roundOf finds a round of a kind of request in the output of the test, and how it ended.
var roundOf = regexp.MustCompile(`(?m)^ +--- (PASS|FAIL): TestRequests/[^/\n]+/[^/\n]+/([^/\n]+)/(?:\d+) `)

// sent adds the rounds that an output tells of.
func (s *kept) sent(output []byte) {
	failed := map[string]bool{}
	for _, m := range roundOf.FindAllSubmatch(output, -1) {
		name := string(m[2])
		if failed[name] = failed[name] || string(m[1]) == "FAIL"; failed[name] {
			s.Rounds[name] = 0
		} else {
			s.Rounds[name]++
		}
	}
}

// rounds are those of some kinds without one that differs, no more of each than are wanted.
func (s *kept) rounds(names []string) int {
	sum := 0
	for _, name := range names {
		sum += min(s.Rounds[name], roundsOfKind)
	}
	return sum
}
