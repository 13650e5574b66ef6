package trace

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowproof/lab/internal/redact"
)

// TestKeptLineIsReadAsWritten cuts lines that are too long at every place of a mark and of a
// character, and reads each again.
func TestKeptLineIsReadAsWritten(t *testing.T) {
	for n := range 40 {
		for _, text := range []string{
			"GET /" + strings.Repeat("a", maxLine-40+n) + "?token=abcdefgh&page=1 HTTP/1.1",
			"GET /" + strings.Repeat("a", maxLine-20+n) + "äöü€ HTTP/1.1",
		} {
			kept := keep(text)
			if len(kept) > maxLine || !utf8.ValidString(kept) || strings.Count(kept, "«") != strings.Count(kept, "»") {
				t.Errorf("%d: kept %q", n, kept)
			}
			if again := redact.Text(kept); again != kept {
				t.Errorf("%d: %q is %q when it is read again", n, kept, again)
			}
		}
	}
}
