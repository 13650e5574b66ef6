package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/walk"
	"github.com/flowproof/lab/internal/screen"
	"github.com/flowproof/lab/internal/trust"
)

// walkFlags are the flags of `lab walk`.
type walkFlags struct {
	up       cluster.Options
	asked    asked
	down     bool
	list     bool
	noInput  bool
	restart  bool
	reset    bool
	language string
	lesson   string
	width    int
	create   string
	handout  string
	site     string
}

const walkLong = `walk takes you through a lesson. It stops before each step, shows its sentences
and what you could type by hand, asks what inference will decide before it is shown, runs the step,
and holds what you said beside what was inferred and what was seen. The wrong answers are resources
of the sidecar's own configuration, and why they are wrong is why they really lost.

A lesson is a scenario: one of ours by its name, a file of yours, a workshop of ours or a folder of lessons, which are
walked one after the other, or a bundle of a recorded run, which needs no lab (then --lesson says which, where it cannot
be told).

At each stop: Enter goes on, b goes back, ! opens a shell of the lab (! COMMAND runs one), ? TERM explains, q leaves.
At a question and at a task h gives a hint too, and s skips it. What you have done is kept, and the same command goes
on from there. Every line is plain text and no line is taken back, so a screen reader can follow. However
a walk ends, the lab is restored.`

func walkCommand() *cobra.Command {
	var flags walkFlags
	cmd := &cobra.Command{
		Use:   "walk [LESSON|./FILE.txtar|FOLDER|BUNDLE...]",
		Short: "Walk through a lesson: guess, infer, see",
		Long:  walkLong,
		Example: `  lab walk --list
  lab walk inbound
  lab walk inbound --lang zh
  lab walk traces
  lab walk ./run
  lab walk --new mine && lab walk ./mine
  lab walk inbound --handout inbound.html
  lab walk ./run -o html > walk.html
  lab walk --site ./site ./run`,
		Args:              walkArgs(&flags),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			a := appOf(cmd)
			switch {
			case flags.list:
				return a.listLessons(cmd.Context(), args, flags)
			case flags.create != "":
				return a.newLesson(flags.create, flags.lesson)
			case flags.site != "":
				return a.writeSite(cmd, flags.site, args)
			}
			return a.walk(cmd, args[0], flags)
		},
	}
	addUpFlags(cmd, &flags.up)
	flags.asked.add(cmd)
	flags.asked.addScenario(cmd)
	flags.add(cmd)
	hasForms(cmd, []string{"text", "json", "html"})
	completeFixed(cmd, "lang", lesson.Languages...)
	return cmd
}

// add defines the flags that only walk has.
func (flags *walkFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&flags.list, "list", false, "list the lessons: how long each takes, and how far you are")
	f.BoolVar(&flags.down, "down", false, "take the lab down afterwards")
	f.BoolVar(&flags.noInput, "no-input", false, "read on without stopping; nothing is asked and nothing is kept")
	f.BoolVar(&flags.restart, "restart", false, "begin again, and forget what was said")
	f.BoolVar(&flags.reset, "reset", false, "only forget what was said in this lesson")
	f.StringVar(
		&flags.language,
		"lang",
		"",
		"language of the sentences and questions: "+strings.Join(lesson.Languages, ", ")+" (default: that of LANG)",
	)
	f.StringVar(&flags.lesson, "lesson", "",
		"with a bundle: the lesson that it is a run of; with --new: the lesson to begin with a copy of",
	)
	f.IntVar(&flags.width, "width", 0, "columns to wrap at (default: the terminal's, else 80)")
	f.StringVar(&flags.create, "new", "", "make a folder of this name with a lesson to begin with")
	f.StringVar(
		&flags.handout,
		"handout",
		"",
		"write the lesson as a page to this file, and its solutions to a second one beside it",
	)
	f.StringVar(
		&flags.site,
		"site",
		"",
		"write all lessons, the runs of the given bundles, the commands and the schemas as a site into this folder",
	)
}

func walkArgs(flags *walkFlags) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case flags.list:
			return cobra.MaximumNArgs(1)(cmd, args)
		case flags.create != "":
			return cobra.NoArgs(cmd, args)
		case flags.site != "":
			return nil
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
}

// walk finds what is walked, and does with it what was asked.
func (a *app) walk(cmd *cobra.Command, name string, flags walkFlags) error {
	language, err := languageOf(flags.language)
	if err != nil {
		return err
	}
	course, err := findCourse(cmd.Context(), name, flags.lesson)
	if err != nil {
		return err
	}
	store, err := lesson.Open()
	if err != nil {
		return err
	}
	if flags.reset || flags.restart {
		for _, l := range course.lessons {
			if err := store.Forget(l.Name); err != nil {
				return err
			}
		}
		if flags.reset {
			return nil
		}
	}
	w := walkOf{app: a, cmd: cmd, flags: flags, store: store, name: name, options: walk.Options{
		In: a.In, Out: a.Out, Echo: !isTerminalFile(a.In), Width: a.width(flags.width), Language: language,
		NoInput: flags.noInput, Namespace: mesh.Workshop, Installed: installed,
		Explain: func(term string) (string, error) { return termText(term, language.Code, a.width(flags.width)-2) },
	}}
	if flags.handout != "" {
		return w.handout(cmd.Context(), course, flags.handout, language)
	}
	if a.page() {
		return w.page(cmd.Context(), course)
	}
	return w.course(course)
}

// languageOf is the language that was asked for, or that of the environment (POSIX: LC_ALL,
// LC_MESSAGES, LANG).
func languageOf(asked string) (lesson.Language, error) {
	if asked != "" {
		l, ok := lesson.Speak(asked)
		if !ok {
			return l, fault.Usagef("choose language %q: there are %s", asked, strings.Join(lesson.Languages, ", "))
		}
		return l, nil
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := os.Getenv(name); value != "" {
			l, _ := lesson.Speak(value)
			return l, nil
		}
	}
	l, _ := lesson.Speak("en")
	return l, nil
}

// width is how many columns the terminal has.
func (a *app) width(asked int) int {
	if asked > 0 {
		return max(asked, 20)
	}
	if f, ok := screen.Raw(a.Out).(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return max(20, min(columns, 120))
		}
	}
	return 80
}

func installed(program string) bool {
	_, err := trust.LookPath(program)
	return err == nil
}

// walkOf is one call of walk.
type walkOf struct {
	*app
	cmd     *cobra.Command
	flags   walkFlags
	store   *lesson.Store
	name    string
	options walk.Options
}

// course walks the lessons of a course one after the other.
func (w *walkOf) course(c *course) (err error) {
	if w.flags.down {
		defer func() { err = w.takeDown(err) }()
	}
	for _, l := range c.lessons {
		walked := w.one(c, l)
		switch {
		case errors.Is(walked, walk.ErrQuit):
			return nil // it was the learner's wish, and has been said
		case walked != nil:
			return walked
		}
	}
	return nil
}

func (w *walkOf) takeDown(err error) error {
	backend, failed := w.backend()
	if failed == nil {
		failed = backend.Down(context.WithoutCancel(w.cmd.Context()), w.app.name, w.reporter())
	}
	return errors.Join(err, failed)
}

// one walks one lesson.
func (w *walkOf) one(c *course, l *walk.Lesson) error {
	ctx := w.cmd.Context()
	progress := w.store.Load(ctx, l.Name, l.Sum)
	opts := w.options
	opts.Again = "lab walk " + w.name
	if c.recorded != nil {
		opts.Dump = func(proxy string) string { return filepath.Join(w.name, "dumps", proxy+".json") }
		_, err := walk.New(l, progress, w.store.Save, opts).
			Replay(ctx, *c.recorded, script.Options{ShowSecrets: w.showSecrets})
		return err
	}
	lab, err := w.labFor(w.cmd, l.Scenario, w.flags.up, w.flags.asked)
	if err != nil {
		return err
	}
	if l.Scenario.NeedsLab() {
		opts.Namespace = lab.Mesh.Namespace()
		opts.Shell = w.shellOf(lab)
	}
	result, err := walk.New(l, progress, w.store.Save, opts).Walk(ctx, lab, script.Options{ShowSecrets: w.showSecrets})
	if err != nil && result.Err != nil && !errors.Is(err, walk.ErrQuit) && wasTold(result) {
		return silentError{err}
	}
	return err
}

// wasTold reports whether the failure of a lesson stands under one of its commands already.
func wasTold(result *script.Result) bool {
	for _, p := range result.Phases {
		for _, step := range p.Steps {
			if step.Error != "" && strings.HasSuffix(result.Reason, step.Error) {
				return true
			}
		}
	}
	return false
}

// recordedOf is a bundle, and its run as a lesson is walked beside it: judged again, not believed.
func recordedOf(ctx context.Context, dir string) (bundle.Contents, *script.Recorded, error) {
	contents, err := bundle.Read(ctx, dir)
	if err != nil {
		return contents, nil, err
	}
	run, verdict, err := bundle.Judge(ctx, contents)
	if err != nil {
		return contents, nil, err
	}
	recorded := script.Recorded{Run: run, Verdict: verdict, Dumps: contents.Dumps, Recording: contents.Recording}
	return contents, &recorded, nil
}
