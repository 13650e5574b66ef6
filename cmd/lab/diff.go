package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/internal/input"
)

func diffCommand() *cobra.Command {
	requests := ""
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER [--requests FILE]",
		Short: "Say which requests take another way after a change of configuration, or how two runs differ",
		Long: `diff takes two config dumps of a proxy and a list of requests, and shows each request
whose way is not the same in both: which hops changed and why. The exit code is 0 when no way
changed and 1 when one did.

It also takes two bundles, as --bundle keeps them. Both are judged again, and what differs is shown in the order in
which one thing follows from another: the request, the configuration on its way, the way that was inferred, what was
observed, the answer, the verdict. The first line names the difference that decides. Values that are others at each
run, such as ephemeral ports, are no difference. The exit code is 0 when nothing differs and 1 when something does, or
when a configuration cannot be compared.`,
		Example: `  lab diff before.json after.json --requests requests.jsonl
  lab diff good.bundle bad.bundle`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, a := cmd.Context(), appOf(cmd)
			if requests == "" && isBundle(args[0]) && isBundle(args[1]) {
				return diffBundles(ctx, a, args[0], args[1])
			}
			if requests == "" {
				return fault.Usagef("diff: no requests (give --requests FILE, one JSON object a line, or two bundles)")
			}
			return input.Do(ctx, func() error { return diff(ctx, a, args[0], args[1], requests) })
		},
	}
	hasForms(cmd, report.ResultForms())
	cmd.Flags().StringVar(&requests, "requests", "", "file with one request a line, as JSON; - is standard input")
	return cmd
}

// diff compares the ways of all requests and ends with a mismatch when one changed.
func diff(ctx context.Context, a *app, before, after, requests string) error {
	was, err := a.openDump(ctx, before)
	if err != nil {
		return err
	}
	defer was.Close()
	is, err := a.openDump(ctx, after)
	if err != nil {
		return err
	}
	defer is.Close()
	in, err := a.openRequests(ctx, requests)
	if err != nil {
		return err
	}
	defer in.Close()
	old, now := infer.New(was), infer.New(is)
	total, changes, err := infer.CompareBatch(old, now, in, func(c *flow.WayChange) error { return writeChange(a, c) })
	if !a.quiet {
		fmt.Fprintf(a.Err, "%d of %d requests take another way\n", changes, total)
	}
	if err != nil {
		return fault.Usagef("%s: %w", requests, err)
	}
	if changes > 0 {
		return silentError{fault.Mismatchf("ways changed")}
	}
	return nil
}

func writeChange(a *app, change *flow.WayChange) error {
	if a.output == "text" {
		return report.Change(a.Out, a.output, shownLines(a, change))
	}
	return report.Change(a.Out, a.output, shown(a, change))
}
