package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// namedTest is how SECURITY.md names a test.
var namedTest = regexp.MustCompile("`([a-z][a-z/]*): (Test[A-Za-z0-9]+)`")

// TestSecurityNamesTests holds every line of SECURITY.md's tables to tests that exist.
func TestSecurityNamesTests(t *testing.T) {
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	figures := false // what make nightly writes is no claim: it is held to what is kept
	for n, line := range strings.Split(string(text), "\n") {
		figures = strings.Contains(line, "writes from here") || figures && !strings.Contains(line, "to here")
		if figures {
			continue
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") ||
			strings.HasSuffix(line, "| Held by |") {
			continue
		}
		rows++
		named := namedTest.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("SECURITY.md:%d: no test holds %q", n+1, line)
		}
		for _, m := range named {
			if !hasTest(t, filepath.Join("../..", m[1]), m[2]) {
				t.Errorf("SECURITY.md:%d: there is no %s in %s", n+1, m[2], m[1])
			}
		}
	}
	if rows < 10 {
		t.Errorf("SECURITY.md has %d lines in its tables", rows)
	}
}

// hasTest says whether a package has a test of that name.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
