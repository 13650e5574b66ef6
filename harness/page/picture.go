package page

import (
	"fmt"
	"html"
	"strings"
)

// picture draws lanes beside each other as one SVG document.
func picture(lanes []*lane, title string) string {
	width, height := 0, 0
	for _, l := range lanes {
		width += laneWidth + gap
		height = max(height, l.height)
	}
	width = max(width-gap, laneWidth)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" `+
		`aria-label="%s">`,
		width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(&b, "<title>%s</title><style>%s.ground{fill:var(--sheet)}</style>",
		html.EscapeString(title), DrawingStyle)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d"/>`, width, height)
	for i, l := range lanes {
		b.WriteString(tips(l.id))
		fmt.Fprintf(&b, `<g id="lane-%s" transform="translate(%d 0)">`, l.id, i*(laneWidth+gap))
		l.body(&b, false)
		b.WriteString("</g>")
	}
	b.WriteString("</svg>\n")
	return b.String()
}
