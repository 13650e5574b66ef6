// Package observetest holds what the tests of all instruments need: recorded evidence read, and
// observations written as lines that a table can be compared with.
package observetest

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// File reads a file of the package's testdata with the instrument's own reader.
func File[T any](t testing.TB, name string, parse func(io.Reader) (T, error)) T {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// Text reads a text with the instrument's own reader.
func Text[T any](t testing.TB, text string, parse func(io.Reader) (T, error)) T {
	t.Helper()
	parsed, err := parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// Facts flattens observations to "kind fact=value", without repetition, in the
// order they were seen.
func Facts(all []flow.Observation) []string {
	var out []string
	for _, o := range all {
		for _, s := range o.Facts {
			if f := string(o.Kind) + " " + s.Name + "=" + s.Value; !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// Sorted is Facts for instruments whose observations have no order of their own.
func Sorted(all []flow.Observation) []string {
	out := Facts(all)
	slices.Sort(out)
	return out
}

// Rows flattens observations to "side kind fact=value fact=value", one each.
func Rows(all []flow.Observation) []string {
	var out []string
	for _, o := range all {
		text := string(o.Side) + " " + string(o.Kind)
		for _, s := range o.Facts {
			text += " " + s.Name + "=" + s.Value
		}
		out = append(out, text)
	}
	return out
}
