package site

import (
	"fmt"
	"html"
	"strings"

	"github.com/flowproof/lab/harness/script"
)

// ScenarioLanguage is the page of the language that lessons are written in: every command and every
// condition.
func ScenarioLanguage() Article {
	var b strings.Builder
	b.WriteString("<p>A lesson is a file of sentences and commands. A command fails it, unless <code>!</code> stands " +
		"before it: then it has to fail.</p><h2>Commands</h2>")
	for _, c := range script.Commands() {
		fmt.Fprintf(&b, `<section id="%s"><h3><code>%s</code></h3>%s%s</section>`,
			html.EscapeString(c.Name), html.EscapeString(c.Usage), prose(c.Summary+"."), prose(c.Detail))
	}
	b.WriteString("<h2>Conditions</h2><p>A condition in brackets before a command lets it run only where it holds; " +
		"<code>[!root]</code> where it does not.</p><dl>")
	for _, c := range script.Conditions() {
		fmt.Fprintf(&b, "<dt><code>[%s]</code></dt><dd>%s</dd>",
			html.EscapeString(c.Name), html.EscapeString(c.Summary))
	}
	b.WriteString("</dl>")
	return Article{Name: "scenario-language", Title: "The language of lessons", Body: b.String()}
}
