package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// fuzzed is how long every target has to be searched in all runs together.
const fuzzed = 60 * time.Second

var fuzzFunction = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// targets finds every fuzz target of the tree, as "./package FuzzName".
func targets(root string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "testdata" || d.Name() == "out" || d.Name() == "toolchain" ||
			strings.HasPrefix(d.Name(), ".") && path != root) {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		for _, m := range fuzzFunction.FindAllSubmatch(data, -1) {
			found = append(found, "./"+filepath.ToSlash(rel)+" "+string(m[1]))
		}
		return err
	})
	slices.Sort(found)
	return found, err
}

// fuzz searches for about budget: each target gets the same, those first that had least so far.
func (n *night) fuzz(budget time.Duration) result {
	all, err := targets(".")
	if err != nil || len(all) == 0 {
		return result{err: fmt.Errorf("find the fuzz targets: %w", err)}
	}
	slices.SortStableFunc(all, func(a, b string) int { return n.state.Fuzzed[a] - n.state.Fuzzed[b] })
	each := max(5*time.Second, budget/time.Duration(len(all)))
	var r result
	for end := time.Now().Add(budget); len(all) > 0 && (r.done == 0 || time.Now().Before(end)); all = all[1:] {
		where, name, _ := strings.Cut(all[0], " ")
		log, err := n.execute("fuzz-"+name, []string{"go", "test", where, "-run", "^$", "-fuzz", "^" + name + "$",
			"-fuzztime", each.String(), "-fuzzminimizetime", "10x"}, each+3*time.Minute)
		if err != nil {
			r.found = append(r.found, log)
			continue
		}
		r.done += int(each.Seconds())
		n.state.Fuzzed[all[0]] += int(each.Seconds())
	}
	return r
}

// fuzzShort says which targets have had too little.
func (n *night) fuzzShort() string {
	all, err := targets(".")
	if err != nil {
		return err.Error()
	}
	short := 0
	for _, t := range all {
		if n.state.Fuzzed[t] < int(fuzzed.Seconds()) {
			short++
		}
	}
	if short == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d targets had less than %s", short, len(all), fuzzed)
}
