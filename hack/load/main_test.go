package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestTable adds the counts of two rounds, and holds which of them keep their promise: a mismatch
// breaks any, and too few verified runs that of a load that is no saturation.
func TestTable(t *testing.T) {
	counted := func(load string, promised float64, counts map[flow.Result]int) *row {
		return &row{load: load, run: "cold", promised: promised, count: counts}
	}
	rows := added(nil, []*row{counted("none", most, map[flow.Result]int{flow.Verified: 19}),
		counted("saturation", some, map[flow.Result]int{flow.Incomplete: 3, failed: 1})})
	var out bytes.Buffer
	if err := table(&out, rows); err != nil {
		t.Errorf("%v:\n%s", err, &out)
	}
	rows = added(rows, []*row{counted("none", most, map[flow.Result]int{flow.Verified: 1, flow.Incomplete: 1})})
	if err := table(&out, rows); err != nil || len(rows) != 2 || rows[0].count[flow.Verified] != 20 {
		t.Errorf("%v, %+v", err, rows[0])
	}
	for _, more := range [][]*row{{counted("saturation", some, map[flow.Result]int{flow.Mismatch: 1})},
		{counted("none", most, map[flow.Result]int{flow.Incomplete: 1})}} {
		rows = added(rows, more)
		if err := table(&out, rows); err == nil || !strings.Contains(err.Error(), more[0].load+" cold") {
			t.Errorf("%v, with %v more", err, more[0].count)
		}
	}
}

// TestKnown refuses what would take no run at all: an empty table keeps every promise.
func TestKnown(t *testing.T) {
	for _, args := range [][]string{{"-runs", "0"}, {"-loads", "heavy"}, {"-kinds", "cold,hot"}} {
		if err := measure(append(args, "-lab", "/nowhere/lab"), &bytes.Buffer{}); err == nil ||
			strings.Contains(err.Error(), "/nowhere") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if err := errors.Join(known("", loadNames()...), known("saturation from the same pod,none", loadNames()...),
		known("cold,warm", runNames()...)); err != nil {
		t.Error(err)
	}
}
