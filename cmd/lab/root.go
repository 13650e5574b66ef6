package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/scratch"
	"github.com/flowproof/lab/internal/screen"
)

// verbs make the commands of the program, in the order in which a newcomer meets them.
var verbs = []func() *cobra.Command{
	upCommand, downCommand, statusCommand, doctorCommand, buildCommand,
	runCommand, walkCommand, traceCommand, dumpCommand, verifyCommand, inferCommand, diffCommand, explainCommand,
	resetCommand, kubectlCommand, istioctlCommand, kubeconfigCommand, cacheCommand, versionCommand,
	nodeProcessCommand, dockerProcessCommand, undoProcessCommand, istioctlProcessCommand, manCommand,
}

var rootLong = `lab takes one request through an Istio mesh. It infers the way from the sidecars'
configuration, sends the request, watches it with instruments that share nothing
with the inference, and says hop by hop whether what was seen is what was inferred.

The whole cluster comes with it: Kubernetes, Istio and the workshop's pods run in
namespaces of their own on this machine, without Docker and without a registry.

` + strings.Join(screen.Fold(exit.Sentence(), 80, ""), "\n")

const rootExample = `  # Is this machine fit for it?
  lab doctor

  # Bring the lab up, follow one request, take the lab down again.
  lab run inbound --down

  # Keep it, and look around.
  lab up
  lab kubectl get pods -n mark -o wide
  lab dump fortio-server > fortio-server.json
  lab down`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "lab",
		Short:         "Infer a request's way through Istio, watch it, and verify it hop by hop",
		Long:          rootLong,
		Example:       rootExample,
		SilenceUsage:  true,
		SilenceErrors: true,
		// Flags before a verb are lab's own, also where the verb passes everything after it
		// to another program.
		TraverseChildren:           true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.NoArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Hidden { // the hidden ones are processes of a command that has swept
				scratch.Sweep()
			}
			if err := cmd.ValidateRequiredFlags(); err != nil {
				return fault.Usagef("read command line: %w (see `%s --help`)", err, cmd.CommandPath())
			}
			if known := formsOf(cmd); !slices.Contains(known, a.output) {
				return fault.Usagef("choose output %q: there are %s", a.output, strings.Join(known, ", "))
			}
			a.setScreen()
			return a.setColours()
		},
	}
	a.defineFlags(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.Usagef("read command line: %w (see `%s --help`)", err, cmd.CommandPath())
	})
	foldHelp(root)
	completeFlags(root)
	root.CompletionOptions.HiddenDefaultCmd = false
	for _, verb := range verbs {
		cmd := verb()
		cmd.Args = usageArgs(cmd.Args)
		root.AddCommand(cmd)
	}
	root.Args = usageArgs(unknownVerb)
	return root
}

// defineFlags gives all verbs the flags that they share.
func (a *app) defineFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&a.backendName, "backend", "", "what the lab is made of: "+strings.Join(backendNames(), ", ")+
		" (default "+defaultBackend+", or existing with --kubeconfig, --context or $KUBECONFIG)")
	flags.StringVar(&a.name, "name", cluster.DefaultName, "name of the lab")
	flags.StringVar(&a.kubeconfig, "kubeconfig", "",
		"use the cluster of this kubeconfig, as it is (default: $KUBECONFIG, where that is set)")
	flags.StringVar(&a.context, "context", "",
		"use the cluster of this context of the kubeconfig (default: the current one)")
	flags.StringVarP(&a.output, "output", "o", "text",
		"form of the result: text or json; run, trace, infer, verify and diff have more")
	flags.BoolVar(&a.showSecrets, "show-secrets", false,
		"show header values, parameters and tokens that are hidden otherwise, on the screen and in -o "+
			"forms; what is kept never has them")
	flags.StringVar(&a.color, "color", "auto", "colours: "+strings.Join(colours, ", ")+" (auto: on a terminal, "+
		"unless NO_COLOR is set, or where CLICOLOR_FORCE is)")
	flags.BoolVar(&a.ascii, "ascii", false,
		"write signs as ✓ and → in ASCII (default: where the locale is C, POSIX or has a codeset that is not UTF-8)")
	flags.BoolVar(&a.wide, "wide", false, "cut nothing of a report to the terminal's width")
	flags.Var(&a.maxDump, "max-dump", "most that is read of a sidecar's config dump, such as 64MiB (default 512MiB); "+
		"one of many clusters is read in slices")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "say no progress on stderr")
}

// foldHelp folds the help of all commands at the width of the terminal that it is written to.
func foldHelp(root *cobra.Command) {
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		out := cmd.OutOrStdout()
		var text bytes.Buffer
		cmd.SetOut(&text)
		help(cmd, args)
		cmd.SetOut(out)
		begin, rest, ok := strings.Cut(text.String(), "Examples:\n")
		_ = screen.WriteHung(out, begin, screen.Width(out))
		if ok { // a command is copied whole
			examples, flags, _ := strings.Cut(rest, "\n\n")
			fmt.Fprintf(out, "Examples:\n%s\n\n", strings.TrimSuffix(examples, "\n"))
			_ = screen.WriteHung(out, flags, screen.Width(out))
		}
	})
}

// completeFlags lets a shell complete the values of the flags that every verb has.
func completeFlags(root *cobra.Command) {
	completeFixed(root, "color", colours...)
	completeFixed(root, "backend", backendNames()...)
	_ = root.RegisterFlagCompletionFunc("output", completeForms)
	_ = root.RegisterFlagCompletionFunc("context", completeContexts)
}

func completeForms(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return formsOf(cmd), cobra.ShellCompDirectiveNoFileComp
}

// formsAnnotation holds the forms of a verb's result, where it has others than text and json.
const formsAnnotation = "forms"

// hasForms says which forms a verb's result has: -o means the same before and after the verb.
func hasForms(cmd *cobra.Command, forms []string) {
	cmd.Annotations = map[string]string{formsAnnotation: strings.Join(forms, " ")}
	cmd.Long += "\n\nForms of the result (-o): " + strings.Join(forms, ", ") + "."
}

// formsOf returns the forms that a verb's result can have.
func formsOf(cmd *cobra.Command) []string {
	if forms := cmd.Annotations[formsAnnotation]; forms != "" {
		return strings.Fields(forms)
	}
	return []string{"text", "json"}
}

// unknownVerb names the near ones, as cobra does for commands that have no Args of their own.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see `lab --help`"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fault.Usagef("find verb %q: there is none of that name (%s)", args[0], hint)
}

// usageArgs makes a wrong number of arguments bad input, with the line that says what is right.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		return nil
	}
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil || exit.Code(err) == exit.Usage {
			return err
		}
		return fault.Usagef("read command line: %w (usage: %s)", err, cmd.UseLine())
	}
}

// completeFixed offers fixed words for a flag's value.
func completeFixed(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completePods offers the lab's pods for the first n arguments.
func completePods(n int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		m, err := appOf(cmd).mesh(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		pods, err := m.Pods(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return pods, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeContexts offers the contexts of the kubeconfig.
func completeContexts(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	contexts, _ := existing.New(existing.Target{Kubeconfig: appOf(cmd).kubeconfig}).Contexts()
	return contexts, cobra.ShellCompDirectiveNoFileComp
}
