package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/internal/screen"
)

func dumpCommand() *cobra.Command {
	var section, at string
	cmd := &cobra.Command{
		Use:   "dump POD",
		Short: "Print the configuration of a pod's sidecar, endpoints included",
		Long: `dump prints what Envoy itself reports as its configuration: /config_dump?include_eds of its admin
interface, as JSON. POD is a name in the namespace mark, or NAME.NAMESPACE. A truncated answer is an error,
never a shorter dump. Private keys are redacted by Envoy. --at shows the field that a report names after from.`,
		Example: `  lab dump fortio-server > fortio-server.json
  lab dump fortio-server | jq '.configs[]."@type"'
  lab dump fortio-server --section listeners
  lab dump fortio-server --at /configs/0/bootstrap/node/id
  lab dump istio-ingressgateway-7d9f8.istio-system`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePods(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a := appOf(cmd)
			m, err := a.mesh(cmd.Context())
			if err != nil {
				return err
			}
			pod, err := m.Pod(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			sidecar, err := pod.Sidecar()
			if err != nil {
				return err
			}
			defer sidecar.Close()
			dump, err := sidecar.Dump(cmd.Context())
			if err != nil {
				return err
			}
			text, err := partOf(dump, section, at)
			if err != nil {
				return err
			}
			out := a.Out
			if !screen.IsTerminal(out) {
				out = screen.Raw(out) // byte for byte, into a file or another program
			}
			_, err = out.Write(append(text, '\n'))
			return err
		},
	}
	cmd.Flags().StringVar(&section, "section", "", "only this section: bootstrap, clusters, endpoints, listeners, scopedroutes, routes, secrets")
	cmd.Flags().StringVar(&at, "at", "", "only the field at this JSON pointer, as a report names it")
	return cmd
}

// printLine prints one line of text.
func printLine(line string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := fmt.Fprintln(w, line)
		return err
	}
}
