package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// body writes the beginning of the answer's body, line by line, and of how many bytes it is.
func (t *text) body(answer flow.Answer) {
	if t.opts.Body == "" {
		return
	}
	t.line("    the body of %s bytes begins:", cmp.Or(answer.Bytes, "?"))
	for line := range strings.SplitSeq(strings.TrimRight(t.opts.Body, "\n"), "\n") {
		t.paragraph("  ", fmt.Sprintf("| %s", line))
	}
}
