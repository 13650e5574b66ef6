package report

import (
	"regexp"
	"strings"
	"testing"
)

// TestLogIsLinkedToItsSource holds that every line of the request stands on the page, in the
// drawing within the part of Envoy that wrote it, and leads to the line of Envoy's source at the
// dump's version.
func TestLogIsLinkedToItsSource(t *testing.T) {
	page := recorded(t, "html")
	ofBoth := []string{"listener", "HTTP connection manager", "router", "connection pool", "codec client", "connection"}
	link := regexp.MustCompile(
		`href="https://github\.com/envoyproxy/envoy/blob/v1\.40\.0/source/[a-zA-Z0-9_/]+\.(cc|h)#L\d+">[^<]+</a>`,
	)
	for pod, parts := range map[string][]string{
		"netshoot-mark":      ofBoth,
		"fortio-server-mark": append([]string{"original_dst"}, ofBoth...),
	} {
		_, drawing, found := strings.Cut(page, `<svg class="lane log" id="log-`+pod+`"`)
		drawing, _, _ = strings.Cut(drawing, "</svg>")
		if !found {
			t.Fatalf("there is no drawing of the log of %s", pod)
		}
		for _, part := range parts {
			if !strings.Contains(drawing, `<text class="name"`) || !strings.Contains(drawing, ">"+part+"</text>") {
				t.Errorf("%s: the drawing has no box of %s", pod, part)
			}
		}
		rows := regexp.MustCompile(`(?s)<tr id="log-`+pod+`-\d+".*?</tr>`).FindAllString(page, -1)
		linked := 0
		for _, row := range rows {
			if link.MatchString(row) {
				linked++
			} else {
				t.Logf("not linked: %s", row)
			}
		}
		if len(rows) < 25 || linked < len(rows) {
			t.Errorf("%s: %d of %d lines are linked to Envoy's source", pod, linked, len(rows))
		}
		drawn := regexp.MustCompile(`<a class="says" rel="noreferrer" href="https://github\.com/envoyproxy/envoy/blob/`+
			`v1\.40\.0/source/`).FindAllString(drawing, -1)
		arrows := regexp.MustCompile(`<path class="arrow" id="log-`+pod+`-to-\d+"`).
			FindAllString(drawing, -1)
		if len(drawn) != len(rows) || len(arrows) != len(rows)-1 {
			t.Errorf("%s: the drawing has %d of %d lines with their source, and %d arrows",
				pod, len(drawn), len(rows), len(arrows))
		}
	}
}
