package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/internal/bytesize"
)

func statusCommand() *cobra.Command {
	verbose := false
	cmd := &cobra.Command{
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
			listed := make(chan []string, 1)
			go func() { listed <- a.podsOf(cmd.Context(), status) }()
			status.Measure()
			pods := <-listed
			return a.table(status, func(w io.Writer) error { return printStatus(w, status, pods, verbose) })
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list the processes, and what each takes")
	return cmd
}

// podsOf are the pods that run in the lab, for a person to read; none where the apiserver does not
// answer in time, which is for the state to say.
func (a *app) podsOf(ctx context.Context, status cluster.Status) []string {
	if status.State != cluster.Running || a.json() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	m, err := a.connect(labOf(status))
	if err != nil {
		return nil
	}
	pods, err := m.Pods(ctx)
	if err != nil {
		return nil
	}
	return pods
}

func printStatus(w io.Writer, status cluster.Status, pods []string, verbose bool) error {
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
	if len(pods) > 0 {
		fmt.Fprintf(table, "pods\t%s\n", strings.Join(pods, ", "))
	}
	if status.Memory > 0 {
		hint := " (-v lists them)"
		if verbose {
			hint = ""
		}
		fmt.Fprintf(table, "memory\t%s in %d processes%s\n", bytesize.Text(status.Memory), len(status.Processes), hint)
	}
	for _, p := range status.Processes {
		if verbose {
			fmt.Fprintf(table, "  %d\t%s\t%s\n", p.PID, p.Name, bytesize.Text(p.Memory))
		}
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
