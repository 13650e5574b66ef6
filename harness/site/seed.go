package site

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/envoylog"
	"github.com/flowproof/lab/harness/page"
)

// seedLog is the log of the chapter, as the book prints it: one cold request to
// fortio-server, on 2022-08-28, with Istio 1.14.3 and its Envoy 1.22, without the times and
// levels that were cut there.
//
//go:embed seed.log
var seedLog []byte

const seedRequestID = "437a5a3e-f057-4079-a959-dad3d7dcf6a6"

// SeedLog is the page of the chapter's log: a drawing of it, and each line with the part of Envoy
// that wrote it, what it proves, and how the lab's Envoy writes it today. recorded is the page of a
// run of the same request on the lab, whose server's log is held beside it; nil: there is none.
func SeedLog(recorded *page.Page) (Article, error) {
	said, err := seedLines()
	if err != nil {
		return Article{}, err
	}
	today := todays(recorded)
	var b strings.Builder
	b.WriteString(seedIntroduction)
	if today != nil {
		b.WriteString(todayIntroduction)
	}
	drawn := make([]page.LogLine, len(said))
	for i, s := range said {
		drawn[i] = page.LogLine{Said: s, ID: fmt.Sprintf("L%02d", i+1)}
	}
	drawing := page.LogDrawing("drawing", "the lines of the chapter's log, by the parts of Envoy", drawn)
	fmt.Fprintf(&b, "<figure>%s</figure>", drawing)
	b.WriteString(`<div class="scroll" tabindex="0" role="region" aria-label="the log">` +
		`<table class="stack"><thead><tr><th class="num">no.</th><th>part</th><th>the book's line</th>`)
	if today != nil {
		b.WriteString("<th>today</th>")
	}
	b.WriteString("<th>what it proves</th></tr></thead><tbody>")
	for i, s := range said {
		fmt.Fprintf(&b, `<tr id="L%02[1]d"><td class="num">L%02[1]d</td><td class="said-by">%[2]s</td><td>%[3]s</td>`,
			i+1, html.EscapeString(string(s.Component)), bookLine(s))
		if today != nil {
			fmt.Fprintf(&b, `<td data-label="today">%s</td>`, todayCell(s, today))
		}
		fmt.Fprintf(&b, `<td data-label="it proves">%s</td></tr>`, html.EscapeString(proves[s.Event]))
	}
	b.WriteString("</tbody></table></div>")
	return Article{Name: "seed-log", Title: "The chapter's log, line by line", Body: b.String(),
		Style: page.DrawingStyle}, nil
}

const seedIntroduction = "<p>The book's chapter shows this log of fortio-server's sidecar: one request from " +
	"netshoot, on 28 August 2022, with Istio 1.14.3 and Envoy 1.22. Each box of the drawing is a part of Envoy, with " +
	"the lines that it wrote. The arrows lead from each line to the next: down on the left, and up again on the " +
	"right. A line leads to its row in the table, which says what it proves.</p>"

const todayIntroduction = "<p>Under today stands the same statement in the log of the lab's Envoy, of the run that " +
	"stands on this site, and the line of Envoy's source that writes it. The lab runs Envoy as its project publishes " +
	"it, without Istio's own extensions: those lines, and the headers that Istio's metadata exchange adds, it never " +
	"writes.</p>"

// todayCell is how the lab's Envoy writes a statement of the book, or why it does not.
func todayCell(s envoylog.Said, today map[envoylog.Event]page.LogLine) string {
	now, ok := today[s.Event]
	switch {
	case !ok:
		return html.EscapeString(never(s))
	case now.Link == "":
		return html.EscapeString(now.Message)
	}
	return fmt.Sprintf(`%s <a rel="noreferrer" href="%s">%s</a>`,
		html.EscapeString(now.Message), html.EscapeString(now.Link), html.EscapeString(now.Source))
}

// seedLines reads the chapter's log. Its lines have no times, which the reader wants.
func seedLines() ([]envoylog.Said, error) {
	var text bytes.Buffer
	n := 0
	for line := range strings.Lines(string(seedLog)) {
		if strings.HasPrefix(line, "envoy ") {
			n++
			fmt.Fprintf(&text, "2022-08-28T13:46:17.%06dZ\tdebug\t", n)
		}
		text.WriteString(line)
	}
	lines, err := envoylog.ReadAll(&text)
	if err != nil {
		return nil, fmt.Errorf("read the chapter's log: %w", err)
	}
	return envoylog.About(lines, envoylog.Selection{RequestID: seedRequestID, Side: flow.Server}), nil
}

// todays are the lines of the lab's Envoy by what they say; nil where there is no recorded log.
func todays(recorded *page.Page) map[envoylog.Event]page.LogLine {
	if recorded == nil {
		return nil
	}
	var lines map[envoylog.Event]page.LogLine
	for _, l := range recorded.LogOf(&recorded.Recording.Server) {
		if lines == nil {
			lines = map[envoylog.Event]page.LogLine{}
		}
		if _, known := lines[l.Event]; !known {
			lines[l.Event] = l
		}
	}
	return lines
}

// never says of a statement that the lab's log does not have why that is.
func never(s envoylog.Said) string {
	switch {
	case s.Component == envoylog.Extension:
		return "never: it is Istio's own statistics extension, which the lab's Envoy does not have"
	case s.Event == envoylog.OriginalDstAccepted || s.Event == envoylog.TLSInspectorAccepted:
		return "at level trace since Envoy 1.30"
	case s.Component == envoylog.LoadBalancing:
		return "not in that run: a request before it had made the host"
	}
	return "not in that run"
}

// bookLine is a line of the chapter with its headers; peer metadata is decoded.
func bookLine(s envoylog.Said) string {
	out := "<code>" + html.EscapeString(s.Message) + "</code>"
	if len(s.Block) == 0 {
		return out
	}
	out += `<details class="raw"><summary>and its headers</summary><dl>`
	for _, line := range s.Block {
		name, value, ok := strings.Cut(strings.Trim(strings.TrimSpace(line), "'"), "', '")
		if !ok {
			continue
		}
		out += "<dt>" + html.EscapeString(name) + "</dt><dd>"
		if fields, err := PeerMetadata(value); name == "x-envoy-peer-metadata" && err == nil {
			out += "<p>Istio's metadata exchange wrote it, as base64 of a protobuf Struct. It says:</p><ul>"
			for _, f := range fields {
				out += "<li>" + html.EscapeString(f) + "</li>"
			}
			out += "</ul></dd>"
			continue
		}
		out += html.EscapeString(value) + "</dd>"
	}
	return out + "</dl></details>"
}

// PeerMetadata decodes the header x-envoy-peer-metadata, which Istio's metadata exchange
// adds: base64 of a google.protobuf.Struct. The fields are NAME = VALUE, sorted, those of
// nested ones behind a dot.
func PeerMetadata(header string) ([]string, error) {
	raw, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return nil, fmt.Errorf("decode peer metadata: %w", err)
	}
	var s structpb.Struct
	if err := proto.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("decode peer metadata: %w", err)
	}
	var fields []string
	flatten("", &s, &fields)
	slices.Sort(fields)
	return fields, nil
}

func flatten(prefix string, s *structpb.Struct, fields *[]string) {
	for name, value := range s.GetFields() {
		if inner := value.GetStructValue(); inner != nil {
			flatten(prefix+name+".", inner, fields)
			continue
		}
		*fields = append(*fields, prefix+name+" = "+fmt.Sprint(value.AsInterface()))
	}
}
