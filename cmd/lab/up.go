package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/cluster"
)

// upSchema is the version of the JSON form of `lab up`.
const upSchema = "flowproof.dev/lab/v1"

// labResult is the JSON form of a lab that is up.
type labResult struct {
	Schema     string           `json:"schema"`
	Name       string           `json:"name"`
	Backend    string           `json:"backend"`
	Kubeconfig string           `json:"kubeconfig"`
	Joined     bool             `json:"joined"`
	Timings    []cluster.Timing `json:"timings,omitempty"` // nanoseconds since the start
}

func upCommand() *cobra.Command {
	var opts cluster.Options
	var timings bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up, or join it when it runs",
		Long: `up brings up Kubernetes, Istio and the workshop's pods, and returns when a request from
netshoot to fortio-server is answered through both sidecars. The first time it makes the
parts (` + "`lab build`" + ` does that alone); after that a lab is up in seconds.

A failed or interrupted up leaves nothing behind, unless --retain asks for it.`,
		Example: `  lab up
  lab up --timings
  lab up --name second
  lab up --backend kind
  lab up --backend kind --images registry --istio 1.28.3
  lab up -o json | jq -r .kubeconfig`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			opts.Name = a.name
			lab, err := a.up(cmd, opts)
			if err != nil {
				return err
			}
			return a.print(toResult(lab), func(w io.Writer) error {
				if timings {
					printTimings(w, lab.Timings)
				}
				return printLab(w, lab)
			})
		},
	}
	addUpFlags(cmd, &opts)
	cmd.Flags().BoolVar(&timings, "timings", false, "say when each stage was reached")
	cmd.Flags().BoolVar(&opts.Fresh, "fresh", false, "start from an empty cluster and apply every object, instead of from prepared data")
	return cmd
}

// printTimings lists the stages of a bring-up, counted from its start.
func printTimings(w io.Writer, timings []cluster.Timing) {
	for _, t := range timings {
		fmt.Fprintf(w, "%6.1fs  %s\n", t.At.Seconds(), t.Stage)
	}
	fmt.Fprintln(w)
}

// addUpFlags are the flags of every verb that may bring a lab up.
func addUpFlags(cmd *cobra.Command, opts *cluster.Options) {
	cmd.Flags().StringVar(&opts.Images, "images", "built", "where images come from: built (from packages, no registry) or registry")
	cmd.Flags().StringVar(&opts.Istio, "istio", "", "version of Istio to install, such as 1.29.0 (--backend kind --images registry)")
	cmd.Flags().BoolVar(&opts.Retain, "retain", false, "keep what is there when bring-up fails, to look at it")
	completeFixed(cmd, "images", "built", "registry")
}

func (a *app) up(cmd *cobra.Command, opts cluster.Options) (*cluster.Lab, error) {
	backend, err := a.backend()
	if err != nil {
		return nil, err
	}
	return backend.Up(cmd.Context(), opts, a.reporter())
}

func toResult(lab *cluster.Lab) labResult {
	return labResult{Schema: upSchema, Name: lab.Name, Backend: lab.Backend, Kubeconfig: lab.Kubeconfig, Joined: lab.Joined, Timings: lab.Timings}
}

// printLab ends, as kind does, with the next commands to type.
func printLab(w io.Writer, lab *cluster.Lab) error {
	word := "is up"
	if lab.Joined {
		word = "was up already"
	}
	flags := "" // those that name this lab
	if lab.Backend != defaultBackend {
		flags += " --backend " + lab.Backend
	}
	if lab.Name != cluster.DefaultName {
		flags += " --name " + lab.Name
	}
	_, err := fmt.Fprintf(w, "Lab %s %s%s.\n\n  %-35s follow one request through it\n  lab%s kubectl get pods -n mark -o wide\n  lab down%[5]s\n",
		lab.Name, word, lastTiming(lab.Timings), "lab run inbound"+flags, flags)
	return err
}

func lastTiming(timings []cluster.Timing) string {
	if len(timings) == 0 {
		return ""
	}
	return fmt.Sprintf(" after %s", timings[len(timings)-1].At.Round(100*time.Millisecond))
}

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove everything of the lab",
		Long: `down removes the lab by its name, from any state and without a memory of how it came up: processes,
mounts, interfaces, cgroups and kubeconfig. It is content when there is nothing. The parts in the cache stay.`,
		Example: `  lab down
  lab down --name second`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			backend, err := a.backend()
			if err != nil {
				return err
			}
			return backend.Down(cmd.Context(), a.name, a.reporter())
		},
	}
}
