package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// WayOptions choose what of a way is shown.
type WayOptions struct {
	Hop      flow.HopKind                // only hops of this kind; "" is all
	Rejected int                         // how many rejected alternatives of each hop; negative: all
	Short    bool                        // as text, a line a hop, and why in a few words
	Width    int                         // columns of the text; 0: width
	Dumps    map[string]*configdump.Dump // by "pod.namespace", for the excerpts of a page
}

// wayForms are the forms of a whole way, and decisionForms those of the way of one
// request through one proxy.
var (
	wayForms = map[string]func(io.Writer, flow.Path, WayOptions) error{
		"text":    wayText,
		"html":    wayHTML,
		"svg":     waySVG,
		"json":    func(w io.Writer, p flow.Path, _ WayOptions) error { return writeJSON(w, p) },
		"yaml":    func(w io.Writer, p flow.Path, _ WayOptions) error { return writeYAML(w, p) },
		"minimal": func(w io.Writer, p flow.Path, _ WayOptions) error { return writeMinimal(w, p.Hops) },
		"mermaid": func(w io.Writer, p flow.Path, _ WayOptions) error {
			return chart(w, p.Call.URL, plain(p.Hops), endingText(p.Outcome, p.Failure, p.Flag, 0, ""))
		},
	}
	decisionForms = map[string]func(io.Writer, *flow.Decision, WayOptions) error{
		"text": decisionText,
		"html": decisionHTML,
		"svg":  decisionSVG,
		"json": func(w io.Writer, d *flow.Decision, _ WayOptions) error { return writeDecisionJSON(w, d) },
		"yaml": func(w io.Writer, d *flow.Decision, _ WayOptions) error { return writeYAML(w, d) },
		"minimal": func(w io.Writer, d *flow.Decision, _ WayOptions) error {
			if d.Error != "" {
				return writeMinimal(w, []flow.Hop{{Kind: "error", Decision: d.Error}})
			}
			return writeMinimal(w, d.Hops)
		},
		"mermaid": func(w io.Writer, d *flow.Decision, _ WayOptions) error {
			return chart(w, cmp.Or(d.ID, "request"), plain(d.Hops), decisionEnding(d))
		},
	}
)

// WayForms returns the names of the forms that Way and Decision know.
func WayForms() []string { return slices.Sorted(maps.Keys(wayForms)) }

// Way writes a whole way in one of WayForms.
func Way(w io.Writer, form string, path flow.Path, opts WayOptions) error {
	if wayForms[form] == nil {
		return unknownForm(form, WayForms())
	}
	path.Hops = only(path.Hops, opts.Hop)
	return wayForms[form](w, path, opts)
}

// Decision writes the way of one request through one proxy in one of WayForms; JSON is one line.
func Decision(w io.Writer, form string, d flow.Decision, opts WayOptions) error {
	if decisionForms[form] == nil {
		return unknownForm(form, WayForms())
	}
	d.Hops = only(d.Hops, opts.Hop)
	return decisionForms[form](w, &d, opts)
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

// writeMinimal writes one line a hop for goldens: whose it is, its kind, what was decided, and the
// codes of its reason and of what was assumed. A question mark stands before what is open, with
// what it depends on behind it.
func writeMinimal(w io.Writer, hops []flow.Hop) error {
	var b strings.Builder
	for _, h := range hops {
		b.WriteString(openMark(h.Certainty) + strings.TrimPrefix(string(h.Side)+" ", " ") + string(h.Kind) + ": " +
			cmp.Or(h.Decision, "-"))
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
