package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// A box is one hop of a flow chart.
type box struct {
	hop   flow.Hop
	sign  string // before the text
	class string // of the style, or ""
}

// Mermaid writes the way as a flow chart: a frame for each sidecar, a box for each hop,
// coloured by its verdict.
func Mermaid(w io.Writer, run flow.Run, verdict flow.RunVerdict) error {
	run.Path = verdict.TakenPath(run.Path)
	var boxes []box
	for _, v := range verdict.Hops {
		boxes = append(boxes, box{hopOf(run, v), sign(v.State) + " ", class(v.State)})
	}
	if err := chart(w, callName(run.Call), boxes, ""); err != nil {
		return err
	}
	_, err := io.WriteString(w, "  classDef confirmed fill:#d7f5dd,stroke:#2a7d3c,color:#111\n"+
		"  classDef learned fill:#fdf3cf,stroke:#a80,color:#111\n"+
		"  classDef refuted fill:#fbd9d9,stroke:#a22,color:#111\n"+
		"  classDef unseen fill:#eee,stroke:#888,color:#111,stroke-dasharray:4 3\n")
	return err
}

// plain are the boxes of hops that no instrument has looked at.
func plain(hops []flow.Hop) []box {
	var boxes []box
	for _, h := range hops {
		boxes = append(boxes, box{hop: h, sign: openMark(h.Certainty)})
	}
	return boxes
}

// chart draws hops as a flow chart, one box a hop, one frame a proxy. end is the text behind
// the last; "" is none.
func chart(w io.Writer, title string, boxes []box, end string) error {
	var b strings.Builder
	b.WriteString("flowchart TD\n  call([\"" + label(title) + "\"])\n")
	frame, open := "", false
	for i, x := range boxes {
		if head := heading(x.hop); head != frame || i == 0 {
			if open {
				b.WriteString("  end\n")
			}
			fmt.Fprintf(&b, "  subgraph s%d[\"%s\"]\n", i, label(cmp.Or(x.hop.Proxy, string(x.hop.Side), "proxy")))
			frame, open = head, true
		}
		fmt.Fprintf(&b, "  h%d[\"%s%s<br/>%s\"]", i, x.sign, label(string(x.hop.Kind)), label(cut(x.hop.Decision, 60)))
		if x.class != "" {
			b.WriteString(":::" + x.class)
		}
		b.WriteString("\n")
	}
	if open {
		b.WriteString("  end\n")
	}
	previous := "call"
	for i := range boxes {
		fmt.Fprintf(&b, "  %s --> h%d\n", previous, i)
		previous = fmt.Sprintf("h%d", i)
	}
	if end != "" {
		fmt.Fprintf(&b, "  finish([\"%s\"])\n  %s --> finish\n", label(end), previous)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func class(state flow.State) string {
	switch state {
	case flow.Confirmed:
		return "confirmed"
	case flow.Learned:
		return "learned"
	case flow.Refuted:
		return "refuted"
	}
	return "unseen"
}

// label makes text safe within a quoted label: Mermaid takes entities, written with #
// (mermaid.js.org, "Entity codes").
func label(s string) string {
	s = strings.ReplaceAll(clean(s), "\n", " ")
	return strings.NewReplacer("#", "#35;", "\"", "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;").Replace(s)
}
