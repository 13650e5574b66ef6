package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

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

// exposed are the targets whose input others make: of what a pod, a sidecar or another's bundle
// sends. They get three times as much.
var exposed = regexp.MustCompile(`^\./(harness/(bundle|configdump|netfilter|observe)|internal/(redact|input|screen))\b`)

// weight is how much of the time a target gets.
func weight(target string) int {
	if exposed.MatchString(target) {
		return 3
	}
	return 1
}

// leastSearch is the least that a target is searched in a turn: to build it takes as long.
const leastSearch = 20 * time.Second

// fuzz searches for about a budget, at first where least was searched so far. What each target has
// had is kept at once.
func (n *night) fuzz(budget time.Duration) result {
	all, err := targets(".")
	if err != nil || len(all) == 0 {
		return result{err: fmt.Errorf("find the fuzz targets: %w", err)}
	}
	slices.SortStableFunc(all, func(a, b string) int {
		return cmp.Or(n.state.Fuzzed[a]/weight(a)-n.state.Fuzzed[b]/weight(b), weight(b)-weight(a))
	})
	weights := 0
	for _, t := range all {
		weights += weight(t)
	}
	var r result
	end, sum := time.Now().Add(budget), n.state.of("fuzz")
	for i := 0; len(all) > 0 && (i == 0 || time.Now().Before(end)); i, all = i+1, all[1:] {
		each := max(leastSearch, budget*time.Duration(weight(all[0]))/time.Duration(weights)).Truncate(time.Second)
		where, name, _ := strings.Cut(all[0], " ")
		log, err := n.execute("fuzz-"+name, []string{"go", "test", where, "-run", "^$", "-fuzz", "^" + name + "$",
			"-fuzztime", each.String(), "-fuzzminimizetime", "10x"}, each+8*time.Minute)
		if err != nil {
			r.failed(log, err)
			continue
		}
		seconds := int(each.Seconds())
		n.state.Fuzzed[all[0]] += seconds
		sum.Done, sum.Since = sum.Done+seconds, sum.Since+seconds
		r.err = errors.Join(r.err, n.keep())
	}
	return r
}
