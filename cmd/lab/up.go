package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/progress"
)

// upSchema is the version of the JSON form of `lab up`.
const upSchema = "flowproof.dev/lab/v1"

// labResult is the JSON form of a lab that is up.
type labResult struct {
	Schema     string `json:"schema"`
	Name       string `json:"name"`
	Backend    string `json:"backend"`
	Kubeconfig string `json:"kubeconfig"`
	Context    string `json:"context,omitempty"`
	Joined     bool   `json:"joined"`
	// that the lab has made in a cluster which was there before it
	Objects []cluster.Object  `json:"objects,omitempty"`
	Timings []progress.Timing `json:"timings,omitempty"` // nanoseconds since the start
}

func upCommand() *cobra.Command {
	var opts cluster.Options
	var timings, dry bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up, or join it when it runs",
		Long: `up brings up Kubernetes, Istio and the workshop's pods, and returns when a request from
netshoot to fortio-server is answered through both sidecars. The first time it makes the
parts (` + "`lab build`" + ` does that alone); after that a lab is up in seconds.

A failed or interrupted up leaves nothing behind, unless --retain asks for it.

With --backend existing the lab is a cluster that is there already, of any kubeconfig and
context. Nothing is put into it but what --install names; each object is labelled as this
lab's, and ` + "`lab down`" + ` removes those and no other.`,
		Example: `  lab up
  lab up --timings
  lab up --name second
  lab up --backend kind
  lab up --images registry --istio 1.28.3
  lab up --backend existing --context staging --install istio,workshop
  lab up -o json | jq -r .kubeconfig`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			if dry {
				backend, err := a.backendFor(opts)
				if err != nil {
					return err
				}
				return a.dryUp(cmd.Context(), backend, opts)
			}
			_, lab, err := a.up(cmd, opts)
			if err != nil {
				return err
			}
			return a.table(toResult(lab), func(w io.Writer) error {
				if timings {
					printTimings(w, lab.Timings)
				}
				return a.printLab(w, lab)
			})
		},
	}
	addUpFlags(cmd, &opts)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be made, and make nothing")
	cmd.Flags().BoolVar(&timings, "timings", false, "say when each stage was reached")
	cmd.Flags().BoolVar(&opts.Fresh, "fresh", false,
		"start from an empty cluster and apply every object, instead of from prepared data")
	return cmd
}

// printTimings lists the stages of a bring-up, counted from its start.
func printTimings(w io.Writer, timings []progress.Timing) {
	for _, t := range timings {
		fmt.Fprintf(w, "%6.1fs  %s\n", t.At.Seconds(), t.Stage)
	}
	fmt.Fprintln(w)
}

// addUpFlags are the flags of every verb that may bring a lab up.
func addUpFlags(cmd *cobra.Command, opts *cluster.Options) {
	cmd.Flags().StringVar(&opts.Images, "images", components.Built, components.ImageSourcesHelp())
	cmd.Flags().StringVar(&opts.Istio, "istio", "",
		"version of Istio to install, such as 1.29.0 (with --images registry)")
	cmd.Flags().BoolVar(&opts.Retain, "retain", false, "keep what is there when bring-up fails, to look at it")
	cmd.Flags().StringSliceVar(&opts.Install, "install", nil,
		"with the backend existing, parts to put into the cluster: "+strings.Join(existing.Parts, ", "))
	completeFixed(cmd, "images", components.ImageSources()...)
	completeFixed(cmd, "install", append(slices.Clone(existing.Parts), strings.Join(existing.Parts, ","))...)
}

func (a *app) up(cmd *cobra.Command, opts cluster.Options) (cluster.Backend, *cluster.Lab, error) {
	backend, err := a.backendFor(opts)
	if err != nil {
		return nil, nil, err
	}
	opts.Name = a.name
	lab, err := backend.Up(cmd.Context(), opts, a.reporter())
	return backend, lab, err
}

// backendFor is the backend that is to bring a lab up with these options.
func (a *app) backendFor(opts cluster.Options) (cluster.Backend, error) {
	backend, err := a.backend()
	if err != nil {
		return nil, err
	}
	if len(opts.Install) > 0 && backend.Name() != existing.Name {
		return nil, fault.Usagef("bring up lab %s: --install is for a cluster that is there already, and the backend "+
			"%s brings everything (leave it out)",
			a.name, backend.Name())
	}
	if images := components.ImageSources(); !slices.Contains(images, opts.Images) {
		return nil, fault.Usagef("bring up lab %s: --images %q is not known (there are: %s)", a.name, opts.Images,
			strings.Join(images, ", "))
	}
	return backend, nil
}

func toResult(lab *cluster.Lab) labResult {
	return labResult{Schema: upSchema, Name: lab.Name, Backend: lab.Backend, Kubeconfig: lab.Kubeconfig,
		Context: lab.Context, Joined: lab.Joined, Objects: lab.Objects, Timings: lab.Timings}
}

// printLab ends, as kind does, with the next commands to type.
func (a *app) printLab(w io.Writer, lab *cluster.Lab) error {
	if lab.Backend == existing.Name {
		return a.printExisting(w, lab)
	}
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
	_, err := fmt.Fprintf(w, "Lab %s %s%s.\n\n  %-35s follow one request through it\n  lab%s kubectl get pods -n "+
		"mark -o wide\n  lab down%[5]s\n",
		lab.Name, word, lastTiming(lab.Timings), "lab run inbound"+flags, flags)
	return err
}

// printExisting names what the lab has made in a cluster that was there before it.
func (a *app) printExisting(w io.Writer, lab *cluster.Lab) error {
	fmt.Fprintf(w, "Lab %s is the cluster of context %s%s.\n\n", lab.Name, lab.Context, lastTiming(lab.Timings))
	if err := printObjects(w, lab.Objects); err != nil {
		return err
	}
	flags := "--backend " + existing.Name
	if a.kubeconfig != "" {
		flags += " --kubeconfig " + lab.Kubeconfig
	}
	flags += " --context " + lab.Context
	if lab.Name != cluster.DefaultName {
		flags += " --name " + lab.Name
	}
	_, err := fmt.Fprintf(w, "\n  lab run inbound %s\n  lab down %s\n", flags, flags)
	return err
}

func printObjects(w io.Writer, objects []cluster.Object) error {
	if len(objects) == 0 {
		_, err := fmt.Fprintln(w, "It has made nothing there.")
		return err
	}
	fmt.Fprintf(w, "It has made there, and `lab down` removes:\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range objects {
		fmt.Fprintf(table, "  %s\t%s\n", o.Part, o)
	}
	return table.Flush()
}

func lastTiming(timings []progress.Timing) string {
	if len(timings) == 0 {
		return ""
	}
	return fmt.Sprintf(" after %s", timings[len(timings)-1].At.Round(100*time.Millisecond))
}

func downCommand() *cobra.Command {
	dry := false
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove everything of the lab",
		Long: `down removes the lab by its name, from any state and without a memory of how it came up: processes,
mounts, interfaces, cgroups and kubeconfig. It is content when there is nothing. The parts in the cache stay.
Of a cluster that was there before it removes the objects that have the lab's label, and no other.`,
		Example: `  lab down
  lab down --name second
  lab down --backend existing --context staging`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			backend, err := a.backend()
			if err != nil {
				return err
			}
			if dry {
				return a.dryDown(cmd.Context(), backend)
			}
			return backend.Down(cmd.Context(), a.name, a.reporter())
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed, and remove nothing")
	return cmd
}
