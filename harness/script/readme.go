package script

import (
	"fmt"
	"strings"
)

// README is the reference of the scenario language, as Markdown, made from the tables that the
// language is run by: a command that is not in it does not exist. names and summaries list the
// scenarios themselves.
func README(scenarios []*Scenario) string {
	var b strings.Builder
	b.WriteString(readmeIntro)
	b.WriteString("\n## Scenarios\n\n")
	for _, s := range scenarios {
		fmt.Fprintf(&b, "- [`%s`](%s.txtar): %s\n", s.Name, s.Name, s.Summary())
	}
	b.WriteString("\n## Commands\n\nA command fails the scenario, unless `!` stands before it: then it has to fail, " +
		"and `stderr` checks its error.\n")
	for _, c := range Commands() {
		fmt.Fprintf(&b, "\n### `%s`\n\n%s.\n", c.Usage, c.Summary)
		if c.Detail != "" {
			fmt.Fprintf(&b, "\n%s\n", c.Detail)
		}
	}
	b.WriteString("\n## Conditions\n\nA condition in brackets before a command lets it run only where it holds; " +
		"`[!root]` where it does not.\n\n")
	b.WriteString("| condition | holds where |\n| --- | --- |\n")
	for _, c := range Conditions() {
		fmt.Fprintf(&b, "| `[%s]` | %s |\n", c.Name, c.Summary)
	}
	b.WriteString(readmeEnd)
	return b.String()
}

const readmeIntro = `# Scenarios

<!-- Made by the test in this folder from the tables in harness/script: go test ./scenarios -run TestREADME -update -->

Each file here is lesson, test and demonstration at once. ` + "`lab run NAME`" +
	` runs one live, with its comments as the report;
` + "`go test ./scenarios`" + ` runs them all on one lab, and with ` + "`-run TestScenarios/NAME -v`" + ` one of them.
Read one aloud: the comments are sentences, the commands beneath a sentence are what it says. What a
scenario changes in the lab is restored when it ends, however it ends.
`

const readmeEnd = `
The commands and conditions of testscript are there too, such as ` + "`stdout PATTERN`, `stderr PATTERN`, `cmp`, " +
	"`grep`, `skip`, `stop`, `[linux]`" + `:
see https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript.
`
