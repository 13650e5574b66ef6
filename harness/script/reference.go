package script

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/internal/screen"
)

// Reference is the scenario language in plain text, for a terminal of some columns: every command
// with what it does, and every condition.
func Reference(columns int) string {
	var b strings.Builder
	paragraph := func(indent, text string) {
		for _, line := range screen.Wrap(text, columns-len(indent)) {
			fmt.Fprintf(&b, "%s%s\n", indent, line)
		}
	}
	paragraph("", "The commands of a scenario. One fails the scenario, unless ! stands before it: then it has to fail.")
	for _, c := range Commands() {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(screen.Wrap(c.Usage, columns), "\n"))
		paragraph("    ", c.Summary+".")
		paragraph("    ", c.Detail)
	}
	b.WriteString("\n")
	paragraph("", "The conditions. [NAME] before a command lets it run only where it holds, [!NAME] where it "+
		"does not.")
	for _, c := range Conditions() {
		fmt.Fprintf(&b, "\n[%s]\n", c.Name)
		paragraph("    ", c.Summary)
	}
	b.WriteString("\n")
	paragraph("", "The commands and conditions of testscript are there too, such as stdout PATTERN, stderr PATTERN, "+
		"cmp, grep, skip, stop and [linux]: https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript.")
	return b.String()
}
