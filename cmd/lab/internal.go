package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/cluster/node"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/undo"
)

// nodeProcessCommand is the processes of an embedded node that outlive the command
// which started them.
func nodeProcessCommand() *cobra.Command {
	return &cobra.Command{
		Use:                node.Verb,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := node.Main(args); code != 0 {
				return silentError{&exit.Error{Code: code, Err: fmt.Errorf("node process ended with %d", code)}}
			}
			return nil
		},
	}
}

// dockerProcessCommand is the processes of a Docker of our own, and the runtime that it
// starts containers with.
func dockerProcessCommand() *cobra.Command {
	return &cobra.Command{
		Use:                docker.Verb,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := docker.Main(args); code != 0 {
				return silentError{&exit.Error{Code: code, Err: fmt.Errorf("docker process ended with %d", code)}}
			}
			return nil
		},
	}
}

// undoProcessCommand is the guard that restores what a killed run had changed.
func undoProcessCommand() *cobra.Command {
	return &cobra.Command{
		Use:    undo.Verb,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := undo.Guard(cmd.InOrStdin(), cmd.ErrOrStderr(), script.UndoKinds); err != nil {
				return silentError{err} // it has been said
			}
			return nil
		},
	}
}
