package page

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/envoylog"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// logs is the section of the sidecars' logs: a drawing for each pod, in which each line about the
// request stands in the part of Envoy that wrote it, and leads to the line of Envoy's source; and
// all of them as tables. nil: there are none.
func (p *Page) logs() *section {
	if p.Recording == nil || p.Run == nil {
		return nil
	}
	var drawings, tables strings.Builder
	for _, pod := range p.Recording.Pods() {
		said := p.LogOf(pod)
		if len(said) == 0 {
			continue
		}
		id := "log-" + slug(pod.Name)
		name := fmt.Sprintf("%d lines of the log of %s", len(said), pod.Name)
		fmt.Fprintf(&drawings, `<figure><figcaption>%s</figcaption>%s</figure>`,
			html.EscapeString(name), LogDrawing(id, name, said))
		logTable(&tables, pod.Name, said)
	}
	if drawings.Len() == 0 {
		return nil
	}
	return &section{
		ID: "logs", Short: "Logs", Title: "What the logs say, and who in Envoy says it",
		Text: "Each box is a part of Envoy, with the lines about the request that it wrote. The arrows lead " +
			"from each line to the next: down on the left, and up again on the right. A line leads to Envoy's source " +
			"where it is written, at the version that the config dump names; its number leads to the whole line " +
			"below. Printed from here, the page has this drawing alone.",
		Body: template.HTML(`<div class="lanes">` + drawings.String() + `</div>` + tables.String()),
	}
}

// LogOf are the lines of a pod's log about the request, as a drawing shows them. Each leads to
// Envoy's source, where its place there is known.
func (p *Page) LogOf(pod *observe.Pod) []LogLine {
	var lines []LogLine
	for i, s := range saidOf(p.Recording, pod) {
		row := fmt.Sprintf("log-%s-%d", slug(pod.Name), i+1)
		lines = append(lines, LogLine{Said: s, ID: row, Link: SourceURL(p.version(pod.Name), s.Source)})
	}
	return lines
}

// saidOf are the lines of a pod's log about the request of a recording.
func saidOf(r *observe.Recording, pod *observe.Pod) []envoylog.Said {
	text := pod.Part(instrument.LogText)
	if text == nil || pod.Quiet {
		return nil
	}
	side := flow.Server
	if pod == &r.Client {
		side = flow.Client
	}
	lines, err := envoylog.ReadAll(bytes.NewReader(text))
	if err != nil {
		return nil // the verdict has said so
	}
	return envoylog.About(
		lines,
		envoylog.Selection{RequestID: r.RequestID, Authority: r.Authority, Path: r.Path, Pod: pod.Name, Side: side},
	)
}

// logTable writes the lines of a proxy's log as a table, with all that each of them says.
func logTable(b *strings.Builder, proxy string, said []LogLine) {
	fmt.Fprintf(b, `<details class="log"><summary>The lines of %[1]s</summary>`+
		`<div class="scroll" tabindex="0" role="region" aria-label="log of %[1]s"><table><thead><tr>`+
		`<th class="num">no.</th><th class="num">µs</th><th>part</th><th>says</th><th>where</th></tr></thead><tbody>`,
		html.EscapeString(proxy))
	for i, s := range said {
		where, message := html.EscapeString(s.Source), html.EscapeString(cut(s.Message, 400))
		if s.Link != "" {
			where = fmt.Sprintf(`<a rel="noreferrer" href="%s">%s</a>`, html.EscapeString(s.Link), where)
		}
		if len(s.Block) > 0 {
			message += fmt.Sprintf(
				`<details class="raw"><summary>and %d lines</summary><pre tabindex="0">%s</pre></details>`,
				len(s.Block), html.EscapeString(cut(strings.Join(s.Block, "\n"), 4000)))
		}
		fmt.Fprintf(b, `<tr id="%s" tabindex="-1"><td class="num">%d</td><td class="num">%d</td>`+
			`<td class="said-by">%s</td><td>%s</td><td>%s</td></tr>`,
			s.ID, i+1, s.Time.Sub(said[0].Time).Microseconds(), html.EscapeString(string(s.Component)), message, where)
	}
	b.WriteString("</tbody></table></div></details>")
}
