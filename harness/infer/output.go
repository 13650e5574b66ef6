package infer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/harness/flow"
)

// Formats are the output formats of a way or a decision.
var Formats = []string{"text", "minimal", "json", "yaml", "mermaid"}

// HopKinds are the kinds of hops that a way can have, in its order.
var HopKinds = flow.HopKinds()

// WriteWay writes a whole way in one of Formats.
func WriteWay(w io.Writer, format string, path flow.Path, opts TextOptions) error {
	path.Hops = only(path.Hops, opts.Hop)
	switch format {
	case "json":
		return writeJSON(w, path)
	case "yaml":
		return writeYAML(w, path)
	case "minimal":
		return writeMinimal(w, path.Hops)
	case "mermaid":
		return writeMermaid(w, path.Call.URL, path.Hops, endingText(path.Outcome, path.Failure, path.Flag, 0, ""))
	}
	return WriteText(w, path, opts)
}

// WriteOne writes the way of one request through one proxy in one of Formats; JSON is one line.
func WriteOne(w io.Writer, format string, d flow.Decision, opts TextOptions) error {
	d.Hops = only(d.Hops, opts.Hop)
	switch format {
	case "json":
		return writeDecisionJSON(w, &d)
	case "yaml":
		return writeYAML(w, d)
	case "minimal":
		if d.Error != "" {
			return writeMinimal(w, []flow.Hop{{Kind: "error", Decision: d.Error}})
		}
		return writeMinimal(w, d.Hops)
	case "mermaid":
		return writeMermaid(w, first(d.ID, "request"), d.Hops, endingText(d.Outcome, d.Failure, d.Flag, d.Status, d.Location))
	}
	return WriteDecision(w, d, opts)
}

// only keeps the hops of one kind; "" keeps all.
func only(hops []flow.Hop, kind flow.HopKind) []flow.Hop {
	if kind == "" {
		return hops
	}
	kept := []flow.Hop{}
	for _, h := range hops {
		if h.Kind == kind {
			kept = append(kept, h)
		}
	}
	return kept
}

// writeJSON writes one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// writeDecisionJSON is writeJSON for a decision. A buffer is written to in place.
func writeDecisionJSON(w io.Writer, d *flow.Decision) error {
	var line []byte
	if buffer, ok := w.(*bytes.Buffer); ok {
		line = buffer.AvailableBuffer()
	}
	if _, err := w.Write(append(d.AppendJSON(line), '\n')); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// writeYAML writes one document; several in a row make a stream.
func writeYAML(w io.Writer, v any) error {
	text, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("write yaml: %w", err)
	}
	_, err = fmt.Fprintf(w, "---\n%s", text)
	return err
}

// writeMinimal writes one line a hop for goldens: whose it is, its kind, what was decided, and the codes of its reason and of
// what was assumed. A question mark stands before what is open, with what it depends on behind it.
func writeMinimal(w io.Writer, hops []flow.Hop) error {
	var b strings.Builder
	for _, h := range hops {
		b.WriteString(openMark(h) + strings.TrimPrefix(string(h.Side)+" ", " ") + string(h.Kind) + ": " + first(h.Decision, "-"))
		for _, code := range append([]flow.Reason{h.Reason}, h.Assumptions...) {
			if code != "" {
				b.WriteString(" [" + string(code) + "]")
			}
		}
		if len(h.Open) > 0 {
			b.WriteString(" ? " + strings.Join(h.Open, ", "))
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMermaid draws the hops as a flowchart, one box a hop, one frame a proxy.
func writeMermaid(w io.Writer, title string, hops []flow.Hop, end string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "flowchart TD\n  start([%s])\n", mermaidText(title))
	frame, open := "", false
	for i, h := range hops {
		if head := heading(h); head != frame {
			if open {
				b.WriteString("  end\n")
			}
			fmt.Fprintf(&b, "  subgraph p%d [%s]\n", i, mermaidText(head))
			frame, open = head, true
		}
		fmt.Fprintf(&b, "    h%d[%s]\n", i, mermaidText(openMark(h)+string(h.Kind)+": "+h.Decision))
	}
	if open {
		b.WriteString("  end\n")
	}
	fmt.Fprintf(&b, "  finish([%s])\n", mermaidText(end))
	last := "start"
	for i := range hops {
		fmt.Fprintf(&b, "  %s --> h%d\n", last, i)
		last = fmt.Sprintf("h%d", i)
	}
	fmt.Fprintf(&b, "  %s --> finish\n", last)
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaidText quotes text for a label: quotes and what Mermaid or HTML would read as markup become entities.
func mermaidText(s string) string {
	return `"` + strings.NewReplacer("&", "#amp;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ", "`", "#96;").Replace(s) + `"`
}

// ReasonsSchema is the version of the JSON form of the catalogue of codes.
const ReasonsSchema = "flowproof.dev/reasons/v1"

// WriteReasons lists the codes of reasons and assumptions in one of Formats.
func WriteReasons(w io.Writer, format string) error {
	if format == "json" || format == "yaml" {
		all := struct {
			Schema      string           `json:"schema"`
			Reasons     []flow.ReasonRow `json:"reasons"`
			Assumptions []flow.ReasonRow `json:"assumptions"`
		}{ReasonsSchema, flow.Reasons, flow.Assumptions}
		if format == "yaml" {
			return writeYAML(w, all)
		}
		return writeJSON(w, all)
	}
	for _, part := range []struct {
		title string
		rows  []flow.ReasonRow
	}{{"reasons", flow.Reasons}, {"assumptions", flow.Assumptions}} {
		if _, err := fmt.Fprintln(w, part.title+":"); err != nil {
			return err
		}
		for _, r := range part.rows {
			if _, err := fmt.Fprintf(w, "  %-36s %s\n", r.Code, r.Meaning); err != nil {
				return err
			}
		}
	}
	return nil
}
