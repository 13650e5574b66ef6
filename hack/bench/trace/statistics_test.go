//go:build linux && amd64

package main

import "testing"

func TestInterval(t *testing.T) {
	upTo := func(n int) (values []float64) {
		for i := n; i > 0; i-- {
			values = append(values, float64(i))
		}
		return values
	}
	tests := []struct {
		n                 int
		median, low, high float64 // the ranks that tables of the sign test give
	}{
		{1, 1, 1, 1},
		{5, 3, 1, 5},
		{6, 3.5, 1, 6},
		{9, 5, 2, 8},
		{12, 6.5, 3, 10},
		{20, 10.5, 6, 15},
	}
	for _, tt := range tests {
		low, high := interval(upTo(tt.n))
		if m := median(upTo(tt.n)); m != tt.median || low != tt.low || high != tt.high {
			t.Errorf("of %d values: median %v in [%v, %v], want %v in [%v, %v]", tt.n, m, low, high,
				tt.median, tt.low, tt.high)
		}
	}
}

func TestParseLoad(t *testing.T) {
	const good = `{"ActualQPS": 499.5, "RetCodes": {"200": 1500}, "DurationHistogram": {"Count": 1500, ` +
		`"Percentiles": [{"Percentile": 50, "Value": 0.0012}, {"Percentile": 99, "Value": 0.004}]}}`
	s, err := parseLoad([]byte(good))
	if want := (sample{requests: 1500, rate: 499.5, p50: 1.2, p99: 4}); err != nil || s != want {
		t.Errorf("read %+v, %v, want %+v", s, err, want)
	}
	for name, out := range map[string]string{
		"a request failed": `{"RetCodes": {"200": 9, "503": 1}, "DurationHistogram": {"Count": 10, "Percentiles": ` +
			`[{}, {}]}}`,
		"nothing was sent": `{"RetCodes": {}, "DurationHistogram": {"Count": 0}}`,
		"cut off":          good[:50],
	} {
		if _, err := parseLoad([]byte(out)); err == nil {
			t.Errorf("%s: it passes for a load", name)
		}
	}
}
