package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain"
	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/internal/input"
)

// maxLog bounds what is read of a log or an archive.
const maxLog = 1 << 30

const explainLong = `explain says what something means, or what became of a request that already happened. WHAT is one
of these:

  a line of Envoy's access log   the request is read from it, its way is inferred from the dump, and the first line of
                                 the answer says where it ended and why; where log and inference differ, that is said
  an x-request-id                the same of each line that has it, in the log that --log or --pod names
  a file                         an access log, or the archive of istioctl bug-report: the requests in it that failed,
                                 or with --id one of them (./NAME, where a file has the name of a word)
  -                              the same from standard input
  a response flag                such as UH or NoHealthyUpstream: what it means and what makes Envoy write it
  a details string               such as via_upstream or rbac_access_denied_matched_policy[none]
  a word of a report             a hop, an instrument, a fact, a code, a verdict, or a term of Envoy or Istio

Lines are read by the formats that stand in the dump, and by those that Istio and Envoy have by themselves.
With a dump each cause says whether the dump shows it. Nothing is sent and nothing is changed.

The exit code is 0 when there is an explanation, also of a request that failed.`

// explainFlags are the flags of `lab explain`.
type explainFlags struct {
	dump, pod, log, id string
	direction, lang    string
	verbose, list      bool
}

func explainCommand() *cobra.Command {
	f := &explainFlags{}
	cmd := &cobra.Command{
		Use:   "explain WHAT",
		Short: "Say what a word means, or where a request that already happened ended and why",
		Long:  explainLong,
		Example: `  lab explain UH
  lab explain UH --dump netshoot.json --direction outbound
  lab explain filter-chain --lang zh
  lab explain access.log --dump netshoot.json
  lab explain d1bd9705-f406-4bb6-85b0-3dbe66b959d6 --pod netshoot
  lab explain bug-report.tar.gz --id d1bd9705-f406-4bb6-85b0-3dbe66b959d6`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	hasForms(cmd, report.ResultForms())
	fs := cmd.Flags()
	fs.StringVar(&f.dump, "dump", "", "config dump of the proxy that wrote the log; - is standard input")
	fs.StringVar(&f.pod, "pod", "",
		"pod whose sidecar wrote the log: its dump is read now, and its log where an id is given")
	fs.StringVar(&f.log, "log", "", "file with the log in which WHAT, an x-request-id, is looked for")
	fs.StringVar(&f.id, "id", "", "x-request-id, or its first eight characters, to explain of a log or an archive")
	fs.StringVar(&f.direction, "direction", "",
		"outbound, inbound or gateway: which way the proxy took the request (default: as line and dump say)")
	fs.StringVar(&f.lang, "lang", "",
		"language of the words: "+strings.Join(glossary.Languages, ", ")+" (default: that of LANG)")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "say of each hop why, and from which field")
	fs.BoolVar(&f.list, "list", false, "list the words that can be explained")
	completeFixed(cmd, "direction", "outbound", "inbound", "gateway")
	completeFixed(cmd, "lang", glossary.Languages...)
	_ = cmd.RegisterFlagCompletionFunc("pod", completePods(1))
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var words []cobra.Completion
		for _, e := range glossary.All(glossary.English) {
			words = append(words, cobra.CompletionWithDesc(e.Name, string(e.Kind)))
		}
		return words, cobra.ShellCompDirectiveDefault
	}
	return cmd
}

func (f *explainFlags) run(cmd *cobra.Command, args []string) error {
	ctx, a := cmd.Context(), appOf(cmd)
	language, err := languageOf(f.lang)
	if err != nil {
		return err
	}
	switch {
	case f.list:
		return report.Words(a.Out, glossary.All(language.Code))
	case len(args) == 0, strings.TrimSpace(args[0]) == "":
		return fault.Usagef("explain: nothing to explain " +
			"(give a word, a flag, a log line, a file or -; `lab explain --list` lists the words)")
	case !slices.Contains([]string{"", string(flow.Outbound), string(flow.Inbound), string(flow.Gateway)}, f.direction):
		return fault.Usagef("choose direction %q: there are outbound, inbound, gateway", f.direction)
	case f.dump != "" && f.pod != "":
		return fault.Usagef("explain: --dump is a file's dump and --pod a pod's (give one of them)")
	}
	return input.Do(ctx, func() error { return f.explain(ctx, a, args[0], language) })
}

// explain is the one dispatch on what is to be explained.
func (f *explainFlags) explain(ctx context.Context, a *app, what string, language lesson.Language) error {
	dump, log, err := f.proxy(ctx, a, what)
	if err != nil {
		return err
	}
	if dump != nil {
		defer dump.Close()
	}
	opts := explain.Options{Dump: dump, Direction: flow.Direction(f.direction), Language: language.Code}
	if f.log != "" || log != nil {
		return f.byID(ctx, a, what, log, opts)
	}
	if word := strings.TrimSpace(what); !strings.ContainsAny(word, "\n\"") {
		if m, ok := meaning(word, opts); ok {
			return report.Explained(a.Out, a.output, language.Code, shownLines(a, m))
		}
	}
	if lines := explain.Lines([]byte(what), dump); len(lines) > 0 {
		return f.parts(a, []explain.Part{{Name: "the command line", Lines: lines, Dump: dump}}, opts)
	}
	data, name, err := f.data(ctx, a, what)
	if err != nil {
		return err
	}
	parts, err := partsOf(ctx, name, data, dump)
	if err != nil {
		return err
	}
	if !explain.IsArchive(data) && len(parts[0].Lines) == 0 {
		return fault.Usagef("read %s: no line of an access log that can be read "+
			"(formats: %s, and those of --dump)", name, strings.Join(logformat.Known(), ", "))
	}
	return f.parts(a, parts, opts)
}

// partsOf reads a log, or the logs of an archive.
func partsOf(ctx context.Context, name string, data []byte, dump *configdump.Dump) ([]explain.Part, error) {
	if !explain.IsArchive(data) {
		return []explain.Part{{Name: name, Lines: explain.Lines(data, dump), Dump: dump}}, nil
	}
	parts, err := explain.Archive(ctx, data)
	if err != nil {
		return nil, fault.Usagef("%s: %w", name, err)
	}
	return parts, nil
}

// proxy gives the dump of the proxy in question, and its log where a pod is named and an id is
// looked for.
func (f *explainFlags) proxy(ctx context.Context, a *app, what string) (*configdump.Dump, []byte, error) {
	if f.dump != "" {
		dump, err := a.openDump(ctx, f.dump)
		return dump, nil, err
	}
	if f.pod == "" {
		return nil, nil, nil
	}
	m, err := a.mesh(ctx)
	if err != nil {
		return nil, nil, err
	}
	pod, err := m.Pod(ctx, f.pod)
	if err != nil {
		return nil, nil, err
	}
	dump, err := dumpOfPod(ctx, pod)
	if err != nil || f.log != "" || !looksLikeID(what) {
		return dump, nil, err
	}
	log, err := pod.Log(ctx, mesh.SidecarContainer, maxData)
	return dump, log, err
}

// looksLikeID says whether a text can be an x-request-id and is no word.
func looksLikeID(text string) bool {
	return len(text) >= 8 && !strings.ContainsAny(text, " \t\n\"{}[]") && len(glossary.Find(text, "")) == 0 &&
		!exists(text)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// byID explains the lines of an id in a log that was read, or that --log names.
func (f *explainFlags) byID(ctx context.Context, a *app, id string, log []byte, opts explain.Options) error {
	name := f.pod
	if log == nil {
		var err error
		if log, name, err = f.data(ctx, a, f.log); err != nil {
			return err
		}
	}
	parts, err := partsOf(ctx, name, log, opts.Dump)
	if err != nil {
		return err
	}
	f.id = id
	return f.parts(a, parts, opts)
}

// parts explains one request of logs, or all that failed.
func (f *explainFlags) parts(a *app, parts []explain.Part, opts explain.Options) error {
	lines := 0
	for _, p := range parts {
		lines += len(p.Lines)
	}
	if f.id != "" {
		found := explain.Select(parts, f.id, opts)
		if len(found) == 0 {
			return fault.Usagef("find request %s: none of the %d lines of the access log has that id "+
				"(a sidecar writes a line when the request is over)", f.id, lines)
		}
		return f.write(a, found)
	}
	if lines == 1 {
		p := parts[slices.IndexFunc(parts, func(p explain.Part) bool { return len(p.Lines) == 1 })]
		return f.write(a, []flow.Explanation{p.Request(p.Lines[0], opts)})
	}
	return report.Log(a.Out, a.output, shownLines(a, explain.All(parts, opts)))
}

func (f *explainFlags) write(a *app, all []flow.Explanation) error {
	for i, e := range all {
		if i > 0 && a.output == "text" {
			if _, err := io.WriteString(a.Out, "\n"); err != nil {
				return err
			}
		}
		if err := report.Explanation(a.Out, a.output, shownLines(a, e), f.verbose); err != nil {
			return err
		}
	}
	return nil
}

// data reads a file, or standard input. What is no file is said to be no word either.
func (f *explainFlags) data(ctx context.Context, a *app, path string) ([]byte, string, error) {
	if path == "-" {
		data, err := input.ReadAll(ctx, a.In, maxLog)
		if err != nil {
			return nil, "", fault.Usagef("read standard input: %w", err)
		}
		return data, "standard input", nil
	}
	data, err := input.ReadFile(ctx, path, maxLog)
	switch {
	case errors.Is(err, fs.ErrNotExist) && path != f.log:
		return nil, "", unknownWord(path)
	case err != nil:
		return nil, "", fault.Usagef("read %s: %w", path, err)
	}
	return data, path, nil
}

func unknownWord(word string) error {
	if len(word) > 80 || strings.ContainsAny(word, " \n") {
		return fault.Usagef(
			"explain: it is neither a word, a flag or a file, nor a line of an access log in a format that is known " +
				"(give --dump of the sidecar that wrote it: its format stands there)",
		)
	}
	return fault.Usagef(
		"explain %s: it is neither a word of a report, a flag, a details string, nor a file (%s)",
		word,
		nearWords(word, "`lab explain --list` lists the words; an x-request-id needs --log FILE or --pod POD"),
	)
}

// nearWords asks whether a word of the glossary near to one was meant; where there is none
// it is another hint.
func nearWords(word, otherwise string) string {
	if near := glossary.Near(word, 3); len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	return otherwise
}

// meaning is what a word means: one flag or several with commas between, details, or a term.
func meaning(word string, opts explain.Options) (report.Meaning, bool) {
	m := report.Meaning{Schema: report.MeaningSchema, Word: word, Entries: glossary.Find(word, opts.Language)}
	if len(m.Entries) == 0 && strings.Contains(word, ",") {
		for _, flag := range flow.SplitFlags(word) {
			entries := glossary.Find(flag, opts.Language)
			if len(entries) == 0 {
				return m, false
			}
			m.Entries = append(m.Entries, entries...)
		}
	}
	for _, part := range glossary.Inside(word) {
		m.Inside = append(m.Inside, glossary.Find(part, opts.Language)...)
	}
	for _, e := range append(slices.Clone(m.Entries), m.Inside...) {
		m.Causes = append(m.Causes, explain.Causes(e, word, opts.Direction, opts.Dump)...)
	}
	if opts.Dump != nil {
		m.Dump = opts.Dump.Node().Proxy()
	}
	return m, len(m.Entries) > 0
}
