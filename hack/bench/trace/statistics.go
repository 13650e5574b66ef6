//go:build linux && amd64

package main

import (
	"math"
	"slices"
)

// median is the middle of the values; NaN without any.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

// interval is where the median of all that could have been measured lies, with at least 95 %
// confidence, for any distribution: between two of the sorted values, chosen by the sign test. With
// less than six values there is no such interval and it is all of them.
func interval(values []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	k, tail := 0, math.Pow(0.5, float64(n)) // P(at most k of n values lie below the median)
	for choose := 1.0; ; {
		choose = choose * float64(n-k) / float64(k+1)
		next := tail + choose*math.Pow(0.5, float64(n))
		if next > 0.025 || k+1 > n/2 {
			break
		}
		k, tail = k+1, next
	}
	return s[k], s[n-1-k]
}

// each is what f takes from every element.
func each[T any](all []T, f func(T) float64) []float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = f(v)
	}
	return values
}
