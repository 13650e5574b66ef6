package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/mesh"
)

const resetSchema = "flowproof.dev/reset/v1"

// resetResult is the JSON form of `lab reset`.
type resetResult struct {
	Schema string       `json:"schema"`
	Reset  []levelsLeft `json:"reset"` // put right
	Held   []levelsLeft `json:"held"`  // left, because their holders live
}

// levelsLeft is one sidecar whose log levels were raised.
type levelsLeft struct {
	Pod    string      `json:"pod"`
	Holder mesh.Holder `json:"holder"`
	Levels string      `json:"levels"` // from before
}

func resetCommand() *cobra.Command {
	dry := false
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Put right what a command that was killed has left changed in the cluster",
		Long: `reset gives the sidecars whose log levels were raised by a command that is gone their
levels back. Which they were stands in an annotation on the pod, so any machine with the cluster's
kubeconfig will do. What a command that still runs has raised is named, and left. It is content when
there is nothing.`,
		Example: `  lab reset
  lab reset --context staging`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			m, err := a.mesh(cmd.Context())
			if err != nil {
				return err
			}
			if dry {
				return a.dryReset(cmd.Context(), m)
			}
			reset, held, err := m.ResetLevels(cmd.Context())
			if err != nil {
				return err
			}
			result := resetResult{resetSchema, toLeft(reset), toLeft(held)}
			return a.print(result, func(w io.Writer) error { return printReset(w, result) })
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be put right, and change nothing")
	return cmd
}

func toLeft(leases []mesh.LeftLease) []levelsLeft {
	all := make([]levelsLeft, 0, len(leases))
	for _, l := range leases {
		all = append(all, levelsLeft{l.Pod, l.Holder, l.Levels.Summary()})
	}
	return all
}

func printReset(w io.Writer, result resetResult) error {
	for _, l := range result.Reset {
		fmt.Fprintf(w, "%s: log level back to %s; %s had raised it and is gone\n", l.Pod, l.Levels, l.Holder)
	}
	for _, l := range result.Held {
		fmt.Fprintf(w, "%s: log level left as it is; %s still holds it\n", l.Pod, l.Holder)
	}
	if len(result.Reset)+len(result.Held) > 0 {
		return nil
	}
	_, err := fmt.Fprintln(w, "There is nothing to put right.")
	return err
}
