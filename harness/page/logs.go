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

// logs are the sections of the sidecars' logs: each line about the request, the part of Envoy that
// said it, and the line of Envoy's source.
func (p *Page) logs() []section {
	if p.Recording == nil || p.Run == nil {
		return nil
	}
	var all []section
	for _, pod := range p.Recording.Pods() {
		said := saidOf(p.Recording, pod)
		if len(said) == 0 {
			continue
		}
		id := "log-" + slug(pod.Name)
		var body strings.Builder
		componentMap(&body, id, said)
		p.logTable(&body, id, pod.Name, said)
		all = append(all, section{ID: id, Title: "What the log of " + pod.Name + " says, and who in Envoy says it",
			Text: fmt.Sprintf(
				"%d lines are about the request. Each number leads to its line, and each place to the line of "+
					"Envoy's source "+
					"that wrote it, at the version that the config dump names.",
				len(said),
			),
			Body: template.HTML(body.String())})
	}
	return all
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

// componentMap is the drawing: the parts of Envoy in the order in which a request meets them, each
// with the numbers of its lines.
func componentMap(b *strings.Builder, id string, said []envoylog.Said) {
	b.WriteString(`<ol class="components">`)
	for _, c := range envoylog.Components {
		numbers := ""
		for i, s := range said {
			if s.Component == c {
				numbers += fmt.Sprintf(` <a href="#%s-%d">%d</a>`, id, i+1, i+1)
			}
		}
		if numbers != "" {
			fmt.Fprintf(b, `<li><b>%s</b>%s</li>`, html.EscapeString(string(c)), numbers)
		}
	}
	b.WriteString("</ol>")
}

func (p *Page) logTable(b *strings.Builder, id, proxy string, said []envoylog.Said) {
	version := p.version(proxy)
	fmt.Fprintf(
		b,
		`<details class="log"><summary>The lines</summary><div class="scroll" tabindex="0" role="region" `+
			`aria-label="log of %s">`+
			`<table><thead><tr><th class="num">no.</th><th `+
			`class="num">µs</th><th>part</th><th>says</th><th>where</th></tr></thead><tbody>`,
		html.EscapeString(proxy),
	)
	for i, s := range said {
		where := html.EscapeString(s.Source)
		if url := sourceURL(version, s.Source); url != "" {
			where = fmt.Sprintf(`<a rel="noreferrer" href="%s">%s</a>`, html.EscapeString(url), where)
		}
		message := html.EscapeString(cut(s.Message, 400))
		if len(s.Block) > 0 {
			message += `<details class="raw"><summary>and ` + fmt.Sprint(
				len(s.Block),
			) + ` lines</summary><pre tabindex="0">` +
				html.EscapeString(
					cut(strings.Join(s.Block, "\n"), 4000),
				) + `</pre></details>`
		}
		fmt.Fprintf(
			b,
			`<tr id="%s-%d" tabindex="-1"><td class="num">%d</td><td class="num">%d</td><td `+
				`class="said-by">%s</td><td>%s</td><td>%s</td></tr>`,
			id,
			i+1,
			i+1,
			s.Time.Sub(said[0].Time).Microseconds(),
			html.EscapeString(string(s.Component)),
			message,
			where,
		)
	}
	b.WriteString("</tbody></table></div></details>")
}
