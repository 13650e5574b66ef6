package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/report"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/input"
	"github.com/flowproof/lab/internal/redact"
	"github.com/flowproof/lab/scenarios"
)

// runFlags are the flags of `lab run`.
type runFlags struct {
	up       cluster.Options
	down     bool
	list     bool
	commands bool // asks for the scenario language instead of a run
	junit    string
	bundle   string
	sign     string
	signer   *bundle.Signer
	asked
}

func runCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO|./FILE.txtar",
		Short: "Run a scenario: infer, send, watch, verify, restore",
		Long: `run runs a scenario on the lab and prints it as a report while it goes on: the
sentences of the scenario, and beneath each what its commands found. A lab that is not up is brought
up first. What the scenario changes, such as the log level of a sidecar, is restored: at the end,
after a failure, after Ctrl-C, and even when lab is killed.

` + exit.OfARun(),
		Example: `  lab run --list
  lab run --commands
  lab run inbound
  lab run inbound --down --junit inbound.xml
  lab run ./mine.txtar
  lab run inbound --kubeconfig ~/.kube/config --context staging
  lab run inbound --bundle ./run && lab verify ./run
  lab run inbound -o json | jq .verdict.result
  lab run inbound -o html > inbound.html`,
		Args:              runArgs(&flags),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.commands {
				return appOf(cmd).listCommands()
			}
			if flags.list {
				return appOf(cmd).listScenarios()
			}
			return appOf(cmd).runScenario(cmd, args[0], flags)
		},
	}
	hasForms(cmd, report.SentForms())
	addUpFlags(cmd, &flags.up)
	flags.add(cmd)
	flags.addScenario(cmd)
	flags.addDryRun(cmd)
	cmd.Flags().BoolVar(&flags.list, "list", false, "list the scenarios with their first sentences")
	cmd.Flags().BoolVar(&flags.commands, "commands", false, "say what each command of a scenario does")
	cmd.MarkFlagsMutuallyExclusive("list", "commands")
	cmd.Flags().BoolVar(&flags.down, "down", false, "take the lab down afterwards")
	cmd.Flags().StringVar(&flags.bundle, "bundle", "", "keep the whole run in this directory: dumps, evidence, verdict")
	cmd.Flags().StringVar(&flags.sign, "sign", "", signHelp)
	cmd.Flags().StringVar(&flags.junit, "junit", "", "write a JUnit report to this file")
	return cmd
}

func runArgs(flags *runFlags) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if flags.list || flags.commands {
			return cobra.NoArgs(cmd, args)
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
}

func completeScenarios(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return scenarios.Names(), cobra.ShellCompDirectiveNoFileComp
}

// scenarioEntry is one line of `lab run --list`.
type scenarioEntry struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
}

// scenariosResult is the JSON form of `lab run --list`.
type scenariosResult struct {
	Schema    string          `json:"schema"` // scenariosSchema
	Scenarios []scenarioEntry `json:"scenarios"`
}

const scenariosSchema = "flowproof.dev/scenarios/v1"

func (a *app) listScenarios() error {
	var entries []scenarioEntry
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err != nil {
			return err
		}
		entries = append(entries, scenarioEntry{name, s.Summary()})
	}
	return a.table(scenariosResult{scenariosSchema, entries}, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		for _, e := range entries {
			fmt.Fprintf(table, "%s\t%s\n", e.Name, e.Summary)
		}
		return table.Flush()
	})
}

// commandsResult is the JSON form of `lab run --commands`.
type commandsResult struct {
	Schema     string             `json:"schema"` // commandsSchema
	Commands   []script.Command   `json:"commands"`
	Conditions []script.Condition `json:"conditions"`
}

const commandsSchema = "flowproof.dev/commands/v1"

func (a *app) listCommands() error {
	return a.print(commandsResult{commandsSchema, script.Commands(), script.Conditions()}, func(w io.Writer) error {
		_, err := fmt.Fprint(w, script.Reference(a.width(0)))
		return err
	})
}

// runScenario finds the scenario before it brings anything up, so that a misspelt
// name costs nothing.
func (a *app) runScenario(cmd *cobra.Command, name string, flags runFlags) (err error) {
	scenario, err := findScenario(cmd.Context(), name)
	if err != nil {
		return err
	}
	if flags.signer, err = keeping(cmd.Context(), flags.bundle, flags.sign); err != nil {
		return err
	}
	if err := flags.check(); err != nil {
		return err
	}
	if flags.dryRun {
		_, lab, _ := a.lab(cmd.Context()) // where there is none, one would be brought up
		return a.dryScenario(scenario, lab, flags.bounds(lab))
	}
	lab, err := a.labFor(cmd, scenario, flags.up, flags.asked)
	if err != nil {
		return err
	}
	if flags.down && lab.Backend != nil {
		defer func() {
			ctx := context.WithoutCancel(cmd.Context())
			if failed := lab.Backend.Down(ctx, a.name, a.reporter()); failed != nil && err == nil {
				err = failed
			}
		}()
	}
	options := script.Options{ShowSecrets: a.showSecrets}
	if a.output == "text" {
		live := script.NewLive(a.Out)
		if a.wide {
			live.Width = 0
		}
		options.Events, options.Width = live, max(0, live.Width-len(script.ResultIndent))
	}
	result := script.Run(cmd.Context(), lab, scenario, options)
	if err := a.deliver(result, flags); err != nil {
		return errors.Join(result.Err, err)
	}
	if result.Err != nil && a.output == "text" {
		return silentError{result.Err}
	}
	return result.Err
}

// findScenario finds a scenario of ours by its name, or reads one of the user's own by its path,
// which has a separator in it.
func findScenario(ctx context.Context, name string) (*script.Scenario, error) {
	if !strings.ContainsRune(name, os.PathSeparator) {
		return scenarios.Find(name)
	}
	text, err := input.ReadFile(ctx, name, maxScenario)
	if err != nil {
		return nil, fault.Usagef("read scenario: %w", err)
	}
	return scenarios.Parse(strings.TrimSuffix(filepath.Base(name), ".txtar"), text), nil
}

// deliver writes the run's result in the forms that were asked for.
func (a *app) deliver(result *script.Result, flags runFlags) error {
	if a.json() {
		if err := a.print(result, nil); err != nil {
			return err
		}
	}
	if a.page() {
		if err := a.runPage(result); err != nil {
			return err
		}
	}
	if flags.junit != "" {
		if err := writeJUnit(flags.junit, redact.Value(result.Suite())); err != nil {
			return err
		}
	}
	if flags.bundle == "" {
		return nil
	}
	if result.Run == nil {
		return fault.Incompletef("write bundle %s: the scenario came to no request", flags.bundle)
	}
	contents := bundle.Contents{Run: *result.Run, Question: result.Question, Dumps: result.Dumps,
		After: result.DumpsAfter, Recording: &result.Recording, Signer: flags.signer}
	if result.Verdict != nil {
		contents.Verdict = *result.Verdict
	} else {
		contents.Verdict = verify.Judge(contents.Run)
	}
	return a.keep(flags.bundle, contents)
}

// signHelp is of the flag --sign.
const signHelp = "sign the bundle with this private key of minisign's; its password stands in FLOWPROOF_SIGN_PASSWORD"

// keeping says, before anything is done, why a bundle cannot be written or signed, and returns who
// signs it; nil: it is not signed.
func keeping(ctx context.Context, dir, key string) (*bundle.Signer, error) {
	if dir == "" {
		if key != "" {
			return nil, fault.Usagef("sign with %s: there is no bundle to sign (give --bundle DIR)", key)
		}
		return nil, nil
	}
	if err := bundle.Writable(dir); err != nil || key == "" {
		return nil, err
	}
	return bundle.NewSigner(ctx, key, os.Getenv("FLOWPROOF_SIGN_PASSWORD"))
}

// keep writes a bundle and says what can be done with it.
func (a *app) keep(dir string, contents bundle.Contents) error {
	replaced, err := bundle.Write(dir, contents)
	if err != nil {
		return err
	}
	if !replaced.IsZero() {
		a.reporter().Say("The bundle of %s that was in %s has been replaced.",
			replaced.Local().Format("2006-01-02 15:04:05"), dir)
	}
	a.reporter().Say("The bundle is in %s; `lab verify %s` judges it again.", dir, dir)
	return nil
}

// writeJUnit writes a JUnit report of one scenario to a file.
func writeJUnit(path string, suite report.Suite) error {
	var text bytes.Buffer
	if err := report.ScenarioJUnit(&text, []report.Suite{suite}); err != nil {
		return err
	}
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		return fault.Environmentf("write JUnit report: %w", err)
	}
	return nil
}

// labFor is the lab that a scenario runs on: it is joined, or brought up. It is empty for a
// scenario that needs none. A scenario that would change there what was not asked for is refused.
func (a *app) labFor(cmd *cobra.Command, s *script.Scenario, opts cluster.Options, flags asked) (script.Lab, error) {
	if !s.NeedsLab() {
		return script.Lab{}, nil
	}
	backend, lab, err := a.up(cmd, opts)
	if err != nil {
		return script.Lab{}, err
	}
	m, err := a.connect(lab)
	if err != nil {
		return script.Lab{}, err
	}
	bounds := flags.bounds(lab)
	return forScripts(backend, lab, m, bounds), mayRun(s, bounds)
}

// mayRun refuses a scenario that would change what it may not, before it begins.
func mayRun(s *script.Scenario, bounds *runs.Bounds) error {
	var lacks, what []string
	for _, t := range s.Changes() {
		if bounds.May(t.Kind, "") != nil && !slices.Contains(lacks, byFlag[t.Kind]) {
			lacks, what = append(lacks, byFlag[t.Kind]), append(what, t.What)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return fault.Usagef("run %s: %w: %s (ask for it: %s; --dry-run says all that it would touch)", s.Name,
		runs.ErrNotAsked, strings.Join(what, "; "), strings.Join(lacks, " "))
}
