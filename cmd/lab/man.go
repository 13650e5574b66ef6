package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand writes a manual page for each command into a folder. Releases and
// `make install` use it.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "__man DIR",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			// A fixed date keeps two builds of one version the same.
			header := &doc.GenManHeader{Title: "LAB", Section: "1", Source: "lab", Manual: "lab manual",
				Date: new(time.Time)}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, header, args[0])
		},
	}
}
