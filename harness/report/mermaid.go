package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Mermaid writes the way as a flow chart: a box for each sidecar, a node for each hop, coloured by its verdict.
func Mermaid(w io.Writer, run flow.Run, verdict flow.RunVerdict) error {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	b.WriteString("  call([\"" + label(callName(run.Call)) + "\"])\n")
	side := flow.Side("none")
	open := false
	for i, v := range verdict.Hops {
		hop := hopOf(run, v)
		if hop.Side != side {
			if open {
				b.WriteString("  end\n")
			}
			side, open = hop.Side, hop.Side != ""
			if open {
				fmt.Fprintf(&b, "  subgraph s%d[\"%s\"]\n", i, label(orElse(hop.Proxy, string(hop.Side))))
			}
		}
		fmt.Fprintf(&b, "  h%d[\"%s %s<br/>%s\"]:::%s\n", i, sign(v.State), label(string(hop.Kind)), label(cut(hop.Decision, 60)), class(v.State))
	}
	if open {
		b.WriteString("  end\n")
	}
	previous := "call"
	for i := range verdict.Hops {
		fmt.Fprintf(&b, "  %s --> h%d\n", previous, i)
		previous = fmt.Sprintf("h%d", i)
	}
	b.WriteString("  classDef confirmed fill:#d7f5dd,stroke:#2a7d3c,color:#111\n" +
		"  classDef refuted fill:#fbd9d9,stroke:#a22,color:#111\n" +
		"  classDef unseen fill:#eee,stroke:#888,color:#111,stroke-dasharray:4 3\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func class(state flow.State) string {
	switch state {
	case flow.Confirmed:
		return "confirmed"
	case flow.Refuted:
		return "refuted"
	}
	return "unseen"
}

// label makes text safe within a quoted label: Mermaid takes entities, written with # (mermaid.js.org, "Entity codes").
func label(s string) string {
	s = strings.ReplaceAll(clean(s), "\n", " ")
	return strings.NewReplacer("#", "#35;", "\"", "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;").Replace(s)
}
