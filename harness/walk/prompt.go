package walk

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// prompt asks for a line, and does itself what can be asked for everywhere: a shell, a term, to
// leave. ok is false where the walk has ended.
func (w *Walker) prompt(key string, values ...any) (typed string, ok bool) {
	for {
		if w.ctx.Err() != nil {
			return "", false
		}
		fmt.Fprintf(w.Out, "%s > ", w.Language.Say(key, values...))
		if f, ok := w.Out.(interface{ Flush() error }); ok {
			_ = f.Flush()
		}
		typed, err := w.lines.read(w.ctx)
		if w.Echo && err == nil {
			fmt.Fprintln(w.Out, typed)
		}
		switch {
		case err != nil && typed == "":
			w.blank()
			if errors.Is(err, io.EOF) {
				w.quit()
			}
			return "", false
		case typed == "q" || typed == "quit":
			w.quit()
			return "", false
		case strings.HasPrefix(typed, "!"):
			w.shell(strings.TrimSpace(typed[1:]))
		case strings.HasPrefix(typed, "?"):
			w.explain(strings.TrimSpace(typed[1:]))
		default:
			return typed, true
		}
	}
}

// unknown says that a key is none.
func (w *Walker) unknown(typed string) { w.say("unknown", typed) }

// shell runs one line, or opens a shell, in the lab.
func (w *Walker) shell(line string) {
	if w.Shell == nil {
		w.say("no.shell")
		return
	}
	if line == "" {
		w.say("shell.in")
	}
	if err := w.Shell(w.ctx, line); err != nil {
		w.para("  ", "", err.Error())
	}
	if line == "" {
		w.say("shell.out")
	}
}

// explain says what a term of the glossary is.
func (w *Walker) explain(term string) {
	if w.Explain == nil || term == "" {
		w.unknown("? " + term)
		return
	}
	text, err := w.Explain(term)
	if err != nil {
		w.para("  ", "", err.Error())
		return
	}
	w.verbatim("  ", strings.TrimRight(text, "\n"))
}
