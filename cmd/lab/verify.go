package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/screen"
)

var verifyLong = `verify judges the run in a bundle again, without a cluster, and believes nothing
that the bundle says of itself. The path is inferred again from the config dumps; the logs, socket
tables, counters, events and curl's output are read again; what run.json, verdict.json and
recording.json say is held against both, and the request against what curl and the sidecars' access
logs say of it. What does not agree is named, and such a run is never verified. A bundle that was
not touched gives the verdict that it was written with.

A bundle that was forged alike in every raw part cannot be told from a true one, unless it was
signed: with --key it must have the signature of that key, which lab run and lab trace make with
--sign. Key and signature are minisign's.

` + exit.OfARun() + `
A bundle that was changed is incomplete too; one that cannot be read or is not whole is bad input. A hop that
the scenario accepts without evidence may stay unobserved; the line of the result names it.`

func verifyCommand() *cobra.Command {
	var verbose bool
	var key string
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Judge the run in a bundle again, hop by hop",
		Long:  verifyLong,
		Example: `  lab verify ./bundle
  lab verify ./bundle -v
  lab verify ./bundle --key minisign.pub
  lab verify ./bundle -o junit > verdict.xml
  lab verify ./bundle -o json | jq -r '.hops[] | select(.state != "confirmed") | .reason'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return appOf(cmd).verify(cmd.Context(), args[0], key, report.Options{Verbose: verbose, Fold: true,
				Width: appOf(cmd).reportWidth()})
		},
	}
	hasForms(cmd, report.Forms())
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false,
		"say of each hop why, from which field, and by which evidence")
	cmd.Flags().StringVar(&key, "key", "",
		"refuse a bundle that is not signed by the owner of this public key, a file of minisign's")
	return cmd
}

// verify judges the bundle in dir, which must be signed by a key where one is given, and reports
// it; the error has the verdict's exit code and has been said.
func (a *app) verify(ctx context.Context, dir, key string, opts report.Options) error {
	contents, err := bundle.Read(ctx, dir)
	if err != nil {
		return err
	}
	if key != "" {
		if err := contents.Signed(ctx, key); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	run, verdict, err := bundle.Judge(ctx, contents)
	if err != nil {
		return err
	}
	opts.Color = screen.Colours(a.Out)
	if a.page() {
		opts.Sources = pageSources(contents)
	}
	if err := report.Write(a.Out, a.output, shown(a, run), shown(a, verdict), opts); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := verify.Passes(verdict, run.Accepted); err != nil {
		return silentError{err}
	}
	return nil
}
