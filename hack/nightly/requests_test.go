package main

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// TestKindsOfRequests holds how many rounds are wanted against the table of kinds.
func TestKindsOfRequests(t *testing.T) {
	all, err := kinds("../..")
	if err != nil || len(all) != kindsOfRequests {
		t.Errorf("the table has %d kinds, and kindsOfRequests says %d: %v", len(all), kindsOfRequests, err)
	}
	seen := map[string]bool{}
	for _, name := range all {
		if strings.Contains(name, "/") || seen[name] {
			t.Errorf("%q cannot be asked for by -run alone", name)
		}
		seen[name] = true
	}
}

// TestRoundsAreKept counts the rounds of each kind on from one night to the next, and those of a
// kind that differed once anew.
func TestRoundsAreKept(t *testing.T) {
	const output = `--- FAIL: TestRequests (9s)
    --- FAIL: TestRequests/requests (9s)
        --- FAIL: TestRequests/requests/are_told_right (9s)
            --- PASS: TestRequests/requests/are_told_right/a_rewrite (2s)
                --- PASS: TestRequests/requests/are_told_right/a_rewrite/1 (1s)
                --- PASS: TestRequests/requests/are_told_right/a_rewrite/2 (1s)
            --- FAIL: TestRequests/requests/are_told_right/a_cookie (2s)
                --- FAIL: TestRequests/requests/are_told_right/a_cookie/1 (1s)
                --- PASS: TestRequests/requests/are_told_right/a_cookie/2 (1s)
`
	dir := t.TempDir()
	n, err := open(dir, filepath.Join(dir, "kept.json"))
	if err != nil {
		t.Fatal(err)
	}
	n.state.Rounds = map[string]int{"a_rewrite": 9, "a_cookie": 7, "gone": 4}
	n.state.sent([]byte(output))
	if err := n.keep(); err != nil {
		t.Fatal(err)
	}
	state, err := read(n.file)
	if err != nil || !maps.Equal(state.Rounds, map[string]int{"a_rewrite": 11, "a_cookie": 0, "gone": 4}) {
		t.Errorf("%v, %v", state.Rounds, err)
	}
	if sum := state.rounds([]string{"a_rewrite", "a_cookie"}); sum != roundsOfKind {
		t.Errorf("%d rounds of two kinds, want %d", sum, roundsOfKind)
	}
}
