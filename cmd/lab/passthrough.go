package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/screen"
	"github.com/flowproof/lab/internal/trust"
)

func kubectlCommand() *cobra.Command {
	return passthrough("kubectl", "Run the kubectl that belongs to the lab, on the lab",
		`  lab kubectl get pods -n mark -o wide
  lab kubectl exec -it -n mark netshoot -- ss -tr`)
}

func istioctlCommand() *cobra.Command {
	const short = "Run the istioctl that belongs to the lab, on the lab; the first call makes it"
	return passthrough(istioctlProgram, short, `  lab istioctl proxy-status
  lab istioctl proxy-config listeners fortio-server.mark`)
}

// passthrough makes a verb that runs one of the lab's own programs with the lab's kubeconfig. All
// arguments are the program's; the lab's own flags go before the verb.
func passthrough(program, short, example string) *cobra.Command {
	return &cobra.Command{
		Use:   program + " [arguments of " + program + "]",
		Short: short,
		Long: short + ".\n\nAll arguments are " + program + "'s own; flags of lab itself go before the " +
			"verb: `lab --name second " + program + " …`. The program is of the releases that are pinned, also " +
			"in a lab of another Istio (--istio). Where their parts are not here, it is the one on PATH.",
		Example:            example,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			a := appOf(cmd)
			if slices.Equal(args, []string{"--help"}) || slices.Equal(args, []string{"-h"}) {
				return cmd.Help()
			}
			_, lab, err := a.lab(cmd.Context())
			if err != nil {
				return err
			}
			path, err := a.findProgram(cmd.Context(), program)
			if err != nil {
				return err
			}
			if lab.Context != "" {
				args = append([]string{"--context", lab.Context}, args...)
			}
			env := []string{"KUBECONFIG=" + lab.Kubeconfig}
			if lab.Backend != existing.Name {
				// A lab's address is another each time: what kubectl keeps of it in the home
				// directory would never be used again.
				env = append(env, "KUBECACHEDIR="+os.DevNull)
			}
			return a.runProgram(cmd, path, args, env)
		},
	}
}

// istioctlVerb runs the lab's istioctl as it is, and makes it first: in a lesson's shell it is
// what istioctl means.
const istioctlVerb = "__istioctl"

func istioctlProcessCommand() *cobra.Command {
	return &cobra.Command{
		Use:                istioctlVerb,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			a := appOf(cmd)
			path, err := a.findProgram(cmd.Context(), istioctlProgram)
			if err != nil {
				return err
			}
			return a.runProgram(cmd, path, args, nil)
		},
	}
}

const istioctlProgram = "istioctl"

// findProgram finds a program among the lab's components, or makes it where no lab needs it to
// run. For a lab of another release of Istio, whose parts it does not look for, the machine's own
// will do.
func (a *app) findProgram(ctx context.Context, program string) (string, error) {
	set, published, err := components.FindAny(componentOptions())
	if err != nil {
		if path, missing := trust.LookPath(program); missing == nil {
			return path, nil
		}
		return "", fault.Environmentf("find %s: %w; for a lab of another release (--istio) there is "+
			"no %[1]s on PATH (install one)", program, err)
	}
	if program == istioctlProgram && !published {
		return components.Istioctl(ctx, componentOptions(), a.reporter())
	}
	if err := set.Check(program); err != nil {
		return "", fault.Environmentf("run %s: %w", program, err)
	}
	path := filepath.Join(set.Bin, program)
	if _, err := os.Stat(path); err != nil {
		return "", fault.Environmentf("find %s: %w", program, err)
	}
	return path, nil
}

// runProgram runs a program in the foreground and ends with its exit code.
func (a *app) runProgram(cmd *cobra.Command, path string, args, env []string) error {
	program := exec.CommandContext(cmd.Context(), path, args...)
	program.Cancel = func() error { return nil } // Ctrl-C reaches the program from the terminal itself
	program.Env = append(os.Environ(), env...)
	program.Stdin, program.Stdout, program.Stderr = a.In, screen.Raw(a.Out), screen.Raw(a.Err)
	err := program.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return silentError{&exit.Error{Code: failed.ExitCode(), Err: err}}
	}
	if err != nil {
		return fault.Environmentf("run %s: %w", path, err)
	}
	return nil
}

func kubeconfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the lab's kubeconfig",
		Long: "kubeconfig prints the path of the lab's kubeconfig, for any other tool. The file is yours alone " +
			"(mode 0600) and goes away with the lab.",
		Example: `  export KUBECONFIG=$(lab kubeconfig)
  k9s --kubeconfig "$(lab kubeconfig)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := appOf(cmd)
			_, lab, err := a.lab(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(kubeconfigResult{kubeconfigSchema, lab.Kubeconfig, lab.Context}, printLine(lab.Kubeconfig))
		},
	}
}

// kubeconfigResult is the JSON form of `lab kubeconfig`.
type kubeconfigResult struct {
	Schema     string `json:"schema"`     // kubeconfigSchema
	Kubeconfig string `json:"kubeconfig"` // path of the file
	Context    string `json:"context,omitempty"`
}

const kubeconfigSchema = "flowproof.dev/kubeconfig/v1"
