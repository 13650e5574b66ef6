package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/internal/bytesize"
)

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say how the lab is: state, processes, memory, bring-up times",
		Example: `  lab status
  lab status -o json | jq -r .state`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			backend, err := a.backend()
			if err != nil {
				return err
			}
			status, err := backend.Status(cmd.Context(), a.name)
			if err != nil {
				return err
			}
			return a.table(status, func(w io.Writer) error { return printStatus(w, status) })
		},
	}
}

func printStatus(w io.Writer, status cluster.Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "lab\t%s (%s)\n", status.Name, status.Backend)
	fmt.Fprintf(table, "state\t%s\n", status.State)
	if status.Reason != "" {
		fmt.Fprintf(table, "reason\t%s\n", status.Reason)
	}
	if !status.Since.IsZero() {
		fmt.Fprintf(table, "since\t%s (%s)\n", status.Since.Format(time.DateTime),
			time.Since(status.Since).Round(time.Second))
	}
	if status.Kubeconfig != "" {
		fmt.Fprintf(table, "kubeconfig\t%s\n", status.Kubeconfig)
	}
	if status.Context != "" {
		fmt.Fprintf(table, "context\t%s\n", status.Context)
	}
	if status.Memory > 0 {
		fmt.Fprintf(table, "memory\t%s in %d processes\n", bytesize.Text(status.Memory), len(status.Processes))
	}
	for _, p := range status.Processes {
		fmt.Fprintf(table, "  %d\t%s\t%s\n", p.PID, p.Name, bytesize.Text(p.Memory))
	}
	for i, t := range status.Timings {
		label := ""
		if i == 0 {
			label = "bring-up"
		}
		fmt.Fprintf(table, "%s\t%s\tafter %s\n", label, t.Stage, t.At.Round(100*time.Millisecond))
	}
	if err := table.Flush(); err != nil || status.Backend != existing.Name || status.State != cluster.Running {
		return err
	}
	return printObjects(w, status.Objects)
}
