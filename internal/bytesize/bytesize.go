// Package bytesize writes numbers of bytes as people read them.
package bytesize

import (
	"fmt"
	"strings"
)

// Text is n bytes in the largest of bytes, KiB, MiB and GiB of which there is one: "900 bytes",
// "64 MiB", "1.5 GiB", rounded. From MiB on it has one digit behind the point, where that is not 0.
func Text(n int64) string {
	switch {
	case n >= 1<<30:
		return tenths(float64(n)/(1<<30)) + " GiB"
	case n >= 1<<20:
		return tenths(float64(n)/(1<<20)) + " MiB"
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", (n+512)>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

func tenths(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }
