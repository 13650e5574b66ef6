package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/flowproof/lab/docs/schema"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/page"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/site"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/lazyregexp"
	"github.com/flowproof/lab/scenarios"
)

// writeSite writes all lessons, the runs of the bundles, and the reference as a folder of pages.
func (a *app) writeSite(cmd *cobra.Command, dir string, bundles []string) error {
	s := &site.Site{Version: buildVersion().Version, Commands: commandsOf(cmd.Root())}
	recorded := map[string]*script.Recorded{}
	for _, path := range bundles {
		run, kept, err := a.siteRun(cmd.Context(), path)
		if err != nil {
			return err
		}
		if recorded[run.Name] != nil {
			return fault.Usagef("write site: two bundles are called %s (give their folders other names)", run.Name)
		}
		s.Runs = append(s.Runs, run)
		recorded[run.Name] = kept
	}
	var err error
	if s.Lessons, err = a.siteLessons(cmd.Context(), s.Runs, recorded); err != nil {
		return err
	}
	article, err := site.SeedLog(pageOf(s.Runs, "fortio-server.mark"))
	if err != nil {
		return err
	}
	s.Articles = append(s.Articles, article, site.ScenarioLanguage())
	files, err := fs.Glob(schema.Files, "*.json")
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := schema.Files.ReadFile(name)
		if err != nil {
			return err
		}
		s.Schemas = append(s.Schemas, site.Schema{Name: name, Text: text})
	}
	if err := s.Write(dir); errors.Is(err, site.ErrInUse) {
		return fault.Usagef("%w", err)
	} else if err != nil {
		return fault.Environmentf("%w", err)
	}
	a.reporter().Say("The site is in %s: open %s.", dir, filepath.Join(dir, "index.html"))
	return nil
}

// pageOf is the page of the first run whose server is a pod and has its log.
func pageOf(runs []site.Run, pod string) *page.Page {
	for _, run := range runs {
		if r := run.Page.Recording; r != nil && r.Server.Name == pod && len(run.Page.LogOf(&r.Server)) > 0 {
			return run.Page
		}
	}
	return nil
}

// siteName is what a run's page may be called.
var siteName = lazyregexp.New(`^[A-Za-z0-9][-_A-Za-z0-9]{0,60}$`)

// siteRun reads a bundle, judges it again, and makes its pages.
func (a *app) siteRun(ctx context.Context, dir string) (site.Run, *script.Recorded, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return site.Run{}, nil, fault.Usagef("write site: %w", err)
	}
	name := filepath.Base(full)
	if !siteName.MatchString(name) {
		return site.Run{}, nil, fault.Usagef(
			"write site: %q is no name for a page (rename the bundle: letters, digits, - and _)",
			name,
		)
	}
	contents, recorded, err := recordedOf(ctx, dir)
	if err != nil {
		return site.Run{}, nil, err
	}
	run, verdict := recorded.Run, recorded.Verdict
	sources := pageSources(contents)
	return site.Run{
		Name:     name,
		Title:    fmt.Sprintf("%s: %s %s", name, cmp.Or(run.Call.Method, "GET"), shown(a, run.Call).URL),
		Verdict:  verify.WayText(verdict),
		Page:     report.RunPage(shown(a, run), shown(a, verdict), report.Options{Sources: sources}),
		Inferred: report.WayPage(shown(a, run.Path), report.WayOptions{Dumps: sources.Dumps}),
	}, recorded, nil
}

// siteLessons are all our lessons, each with the run that its page shows: the one that is called as
// it is, else the first of its request.
func (a *app) siteLessons(
	ctx context.Context,
	runs []site.Run,
	recorded map[string]*script.Recorded,
) ([]site.Lesson, error) {
	runOf := map[string]string{}
	for _, run := range runs {
		if of := lessonOf(recorded[run.Name].Run.Call); runOf[of] == "" {
			runOf[of] = run.Name
		}
	}
	for _, run := range runs {
		runOf[run.Name] = run.Name
	}
	course, err := courseOf(inOrder())
	if err != nil {
		return nil, err
	}
	var all []site.Lesson
	for _, l := range course.lessons {
		out := site.Lesson{Lesson: l, Namespace: mesh.Workshop}
		if name := runOf[l.Name]; name != "" {
			result := script.Replay(ctx, l.Scenario, *recorded[name], script.Options{ShowSecrets: a.showSecrets})
			if result.Err == nil {
				out.Run, out.Result = name, shownResult(a, result)
			} else { // it is a run of the same request, and of another mesh
				a.reporter().Say("The lesson %s stands without the run %s: %v", l.Name, name,
					shown(a, result.Err.Error()))
			}
		}
		if out.Result == nil {
			out.Asked = script.Questions(ctx, l.Scenario)
		}
		all = append(all, out)
	}
	return all, nil
}

// inOrder are the names of all our lessons: those of the workshops as they are walked, and then
// the others.
func inOrder() []string {
	var names []string
	for _, w := range scenarios.Workshops() {
		names = append(names, w.Lessons...)
	}
	var all []string
	for _, name := range append(names, scenarios.Names()...) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// commandsOf are the commands of the program that its help shows, the program itself first.
func commandsOf(cmd *cobra.Command) []site.Command {
	entry := site.Command{
		Path:    cmd.CommandPath(),
		Use:     cmd.UseLine(),
		Short:   cmd.Short,
		Long:    cmp.Or(cmd.Long, cmd.Short),
		Example: cmd.Example,
	}
	flag := func(inherited bool) func(*pflag.Flag) {
		return func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			value, usage := pflag.UnquoteUsage(f)
			out := site.Flag{
				Name:      f.Name,
				Short:     f.Shorthand,
				Value:     value,
				Usage:     usage,
				Inherited: inherited,
				Default:   f.DefValue,
			}
			if f.DefValue == "false" || f.DefValue == "[]" || f.DefValue == "0" || f.DefValue == "0s" ||
				strings.Contains(usage, "(default") {
				out.Default = ""
			}
			entry.Flags = append(entry.Flags, out)
		}
	}
	cmd.NonInheritedFlags().VisitAll(flag(false))
	cmd.InheritedFlags().VisitAll(flag(true))
	all := []site.Command{}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			entry.Verbs = append(entry.Verbs, sub.CommandPath())
			all = append(all, commandsOf(sub)...)
		}
	}
	return append([]site.Command{entry}, all...)
}
