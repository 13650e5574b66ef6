// Package stats reads a sidecar's counters before and after one request. Counters name no request,
// so a counter proves something only when it, alone among its kind, went up by one; anything else
// is said to be ambiguous.
package stats

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Counters are a sidecar's counters and gauges by name, as its admin interface prints them.
type Counters map[string]uint64

// Bounds on what is read, so that a hostile answer cannot fill the memory.
const (
	maxLine     = 64 << 10
	maxCounters = 1 << 20
)

// Parse reads the text of the admin interface's /stats: "name: value" on each line. Text readouts
// and histograms are passed over. An error names the line.
func Parse(r io.Reader) (Counters, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 4096), maxLine)
	all := Counters{}
	for number := 1; scanner.Scan(); number++ {
		text := strings.TrimSpace(scanner.Text())
		if text == "" {
			continue
		}
		i := strings.LastIndex(text, ": ")
		if i < 0 {
			return all, fmt.Errorf("read stats: line %d: no \"name: value\" (ask for /stats, without format)", number)
		}
		value, err := strconv.ParseUint(text[i+2:], 10, 64)
		if err != nil {
			continue
		}
		if len(all) == maxCounters {
			return all, fmt.Errorf("read stats: line %d: more than %d counters", number, maxCounters)
		}
		all[text[:i]] = value
	}
	if err := scanner.Err(); err != nil {
		return all, fmt.Errorf("read stats: after %d counters: %w", len(all), err)
	}
	return all, nil
}

// delta is by how much a counter went up. ok is false when it is not there afterwards, or went
// down: Envoy was restarted, or it is a gauge.
func delta(before, after Counters, name string) (d uint64, ok bool) {
	now, ok := after[name]
	was := before[name] // a counter that is new began at 0
	return now - was, ok && now >= was
}
