package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/internal/screen"
)

// dumpFlags are the flags of `lab dump`.
type dumpFlags struct {
	section, at, file string
}

func dumpCommand() *cobra.Command {
	var flags dumpFlags
	cmd := &cobra.Command{
		Use:   "dump POD | dump --file FILE",
		Short: "Print the configuration of a pod's sidecar, endpoints included",
		Long: `dump prints what Envoy itself reports as its configuration: /config_dump?include_eds of its admin
interface, as JSON. POD is a name in the namespace mark, or NAME.NAMESPACE; with --file it is a dump that was
kept, such as one of a bundle. A truncated answer is an error, never a shorter dump. Private keys are redacted by
Envoy. -o yaml is what yq eval -P makes of it.

--at shows the field that a report names: after from by its JSON pointer, after that is by names. A selector of names
leads to the same field in the next dump: a section, a resource's name, and fields and elements below it, written as
routes["8080"].virtual_hosts["NAME"].routes[0] or routes/8080/virtual_hosts/NAME/routes/0.`,
		Example: `  lab dump fortio-server > fortio-server.json
  lab dump fortio-server -o yaml > fortio-server.yaml
  lab dump fortio-server | jq '.configs[]."@type"'
  lab dump fortio-server --section listeners
  lab dump fortio-server --at /configs/0/bootstrap/node/id
  lab dump fortio-server --at listeners/virtualInbound/filter_chains/10/filter_chain_match
  lab dump netshoot --at 'clusters/outbound|8080||fortio-server.mark.svc.cluster.local/lb_policy'
  lab dump --file run/dumps/netshoot.mark.json --at routes/8080/virtual_hosts
  lab dump istio-ingressgateway-7d9f8.istio-system`,
		Args: func(cmd *cobra.Command, args []string) error {
			if flags.file != "" {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		ValidArgsFunction: completePods(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a := appOf(cmd)
			dump, err := a.dumpOf(cmd.Context(), args, flags.file)
			if err != nil {
				return err
			}
			return a.writeDump(dump, flags)
		},
	}
	hasForms(cmd, []string{"text", "json", "yaml"})
	cmd.Flags().StringVar(&flags.section, "section", "",
		"only this section: bootstrap, clusters, endpoints, listeners, scopedroutes, routes, secrets")
	cmd.Flags().StringVar(&flags.at, "at", "",
		"only the field at this JSON pointer, as a report names it, or selector, as clusters/NAME/lb_policy")
	cmd.Flags().StringVar(&flags.file, "file", "",
		"a dump in this file, JSON or YAML, plain or gzip, instead of a pod's; - is standard input")
	return cmd
}

// dumpOf is the dump of a pod's sidecar, or that of a file.
func (a *app) dumpOf(ctx context.Context, args []string, file string) ([]byte, error) {
	if file != "" {
		dump, err := a.openDump(ctx, file)
		if err != nil {
			return nil, err
		}
		defer dump.Close()
		return bytes.Clone(dump.Root().Raw()), nil
	}
	m, err := a.mesh(ctx)
	if err != nil {
		return nil, err
	}
	pod, err := m.Pod(ctx, args[0])
	if err != nil {
		return nil, err
	}
	sidecar, err := pod.Sidecar()
	if err != nil {
		return nil, err
	}
	defer sidecar.Close()
	return sidecar.Dump(ctx)
}

// writeDump writes the part of a dump that was asked for, byte for byte into a file
// or another program.
func (a *app) writeDump(dump []byte, flags dumpFlags) error {
	text, err := partOf(dump, flags.section, flags.at)
	if err != nil {
		return err
	}
	if a.output == "yaml" {
		if text, err = prettyYAML(text); err != nil {
			return err
		}
	} else {
		text = append(text, '\n')
	}
	out := a.Out
	if !screen.IsTerminal(out) {
		out = screen.Raw(out)
	}
	_, err = out.Write(text)
	return err
}

// printLine prints one line of text.
func printLine(line string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := fmt.Fprintln(w, line)
		return err
	}
}
