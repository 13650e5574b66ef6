package report

import (
	"regexp"
	"strings"
	"testing"
)

// TestLogIsLinkedToItsSource holds that every line of the request stands on the page with the part
// of Envoy that said it, and leads to the line of Envoy's source at the dump's version.
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
		_, section, found := strings.Cut(page, `<section id="log-`+pod+`">`)
		section, _, _ = strings.Cut(section, "</section>")
		if !found {
			t.Fatalf("there is no log of %s", pod)
		}
		for _, part := range parts {
			if !strings.Contains(section, "<b>"+part+"</b> <a href=\"#log-"+pod+"-") {
				t.Errorf("%s: the drawing has no lines of %s", pod, part)
			}
		}
		rows := regexp.MustCompile(`(?s)<tr id="log-`+pod+`-\d+".*?</tr>`).FindAllString(section, -1)
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
	}
}
