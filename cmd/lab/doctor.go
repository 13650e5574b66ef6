package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/doctor"
)

func doctorCommand() *cobra.Command {
	var opts doctor.Options
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine has of all that a lab needs, and what mends the rest",
		Long: `doctor tries what a lab will do and says what it found: ✓ there, ✗ missing and
needed, · missing and not needed. Beneath what is missing stands the line that mends it. It changes
nothing. The exit code is 3 when something needed is missing. What only root can try is not tried
for another user, and marked by ?.

With --kubeconfig, --context or $KUBECONFIG it examines that cluster instead: which rights there are, in which form the
mesh writes its access log, which instruments would take part in a run, and which hops nothing would see. It asks, and
changes nothing.`,
		Example: `  lab doctor
  lab doctor --kubeconfig ~/.kube/config
  lab doctor --offline
  lab doctor -o json | jq '.checks[] | select(.ok | not)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			if named, err := a.namesCluster(cmd.Context()); err != nil {
				return err
			} else if named {
				return a.doctorOfCluster(cmd.Context())
			}
			report := doctor.Examine(cmd.Context(), componentOptions(), opts)
			if err := a.table(report, func(w io.Writer) error { return printReport(w, report) }); err != nil {
				return err
			}
			if !report.Fit {
				return silentError{fault.Environmentf("this machine lacks something that a lab needs")}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&opts.Offline, "offline", false, "do not ask the registries")
	return cmd
}

// headings of the report's parts, in order.
var headings = []struct{ purpose, text string }{
	{doctor.Lab, "To run a lab"},
	{doctor.Build, "To make its parts"},
	{doctor.Instruments, "To observe more"},
	{doctor.Kind, "For the backend kind"},
}

func printReport(w io.Writer, report doctor.Report) error {
	for i, h := range headings {
		if i > 0 {
			fmt.Fprintln(w)
		}
		text := h.text
		if h.purpose == doctor.Build && report.Built {
			text += " (they are in the cache)"
		}
		fmt.Fprintln(w, text)
		for _, f := range report.Checks {
			if f.Purpose == h.purpose {
				printFinding(w, f)
			}
		}
	}
	last := "This machine is fit for a lab."
	if !report.Fit {
		last = "This machine is not fit for a lab yet: see what has ✗."
	}
	if slices.ContainsFunc(report.Checks, func(f doctor.Finding) bool { return f.Untried }) {
		last += " Root tries what has ?: sudo lab doctor."
	}
	_, err := fmt.Fprintf(w, "\n%s\n", last)
	return err
}

func printFinding(w io.Writer, f doctor.Finding) {
	mark := "✓"
	switch {
	case f.Untried:
		mark = "?"
	case !f.OK && f.Required:
		mark = "✗"
	case !f.OK:
		mark = "·"
	}
	fmt.Fprintf(w, " %s %-18s %s\n", mark, f.Name, f.Detail)
	if !f.OK && !f.Untried {
		fmt.Fprintf(w, "   %-18s → %s (why: %s)\n", "", f.Mend, f.Why)
	}
}
