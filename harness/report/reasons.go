package report

import (
	"fmt"
	"io"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/screen"
)

// ReasonsSchema is the version of the JSON form of the catalogue of codes.
const ReasonsSchema = "flowproof.dev/reasons/v1"

// Codes are all codes that a decision may have.
type Codes struct {
	Schema      string           `json:"schema"` // ReasonsSchema
	Reasons     []flow.ReasonRow `json:"reasons"`
	Assumptions []flow.ReasonRow `json:"assumptions"`
}

// Reasons lists the codes of reasons and assumptions in one of WayForms: json, yaml, or else text.
func Reasons(w io.Writer, format string) error {
	if format == "json" || format == "yaml" {
		all := Codes{ReasonsSchema, flow.Reasons, flow.Assumptions}
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
			line := fmt.Sprintf("  %-36s  %s", r.Code, r.Meaning)
			if err := screen.WriteHung(w, line, screen.Width(w)); err != nil {
				return err
			}
		}
	}
	return nil
}
