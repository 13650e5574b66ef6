package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/exit"
)

const verifyLong = `verify judges the run in a bundle again, without a cluster: the logs, socket tables and curl's output
that the bundle keeps are read anew, and what they show is set against the path that was inferred. Evidence that was
changed or taken away changes the verdict; a bundle that nobody touched gives the verdict it was written with.

The exit code is 0 when every hop is verified, 1 when one is refuted, 2 when the bundle cannot be read, and 4 when
something was not observed, lost, or changed. A hop that the scenario accepts without evidence, and says so, may stay
unobserved here too.`

func verifyCommand() *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Judge the run in a bundle again, hop by hop",
		Long:  verifyLong,
		Example: `  lab verify ./bundle
  lab verify ./bundle -v
  lab verify ./bundle -o junit > verdict.xml
  lab verify ./bundle -o json | jq -r '.hops[] | select(.state != "confirmed") | .reason'`,
		Args: cobra.ExactArgs(1),
		// In place of the root's check: verify has more forms than other verbs.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := report.CheckForm(appOf(cmd).output); err != nil {
				return exit.Usagef("%w", err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return appOf(cmd).verify(args[0], report.Options{Verbose: verbose})
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "say of each hop why, from which field, and by which evidence")
	return cmd
}

// verify judges the bundle in dir and reports it; the error has the verdict's exit code and has been said.
func (a *app) verify(dir string, opts report.Options) error {
	contents, err := bundle.Read(dir)
	if err != nil {
		return err
	}
	run, verdict := bundle.Judge(contents)
	opts.Color = colours(a.Out)
	if err := report.Write(a.Out, a.output, run, verdict, opts); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := script.Passes(verdict, run.Accepted); err != nil {
		return silentError{err}
	}
	return nil
}

// resultCodes are the exit codes of the results of a run.
var resultCodes = map[flow.Result]int{flow.Verified: exit.OK, flow.Mismatch: exit.Mismatch, flow.Incomplete: exit.Incomplete}
