package match

import "github.com/flowproof/lab/harness/configdump"

// Fraction reads envoy.type.v3.FractionalPercent.
func Fraction(v configdump.Value) (numerator, of uint64) {
	of = 100
	switch v.Get("denominator").Text() {
	case "TEN_THOUSAND", "1":
		of = 10_000
	case "MILLION", "2":
		of = 1_000_000
	}
	return v.Get("numerator").Uint(), of
}
