package script

import (
	"context"
	"strings"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/exit"
)

// A window is an open log window with the identity of the Envoy that writes into it.
type window struct {
	*mesh.Window
	sidecar *mesh.Sidecar
	started mesh.Identity
}

var logsCommand = Command{
	Name:    "logs",
	Usage:   "logs follow POD",
	Summary: "Open a window onto the log of a pod's sidecar; observe closes it",
	Detail:  "What is logged from here on is kept. The window is open when the command ends, so nothing that follows is missed.",
	run: func(s *session, args []string) error {
		if len(args) != 2 || args[0] != "follow" {
			return badUsage("it needs follow and one pod")
		}
		sidecar, err := s.sidecar(args[1])
		if err != nil {
			return err
		}
		pod := sidecar.Pod().Ref()
		if s.windows[pod] != nil {
			return badUsage("a window onto " + pod + " is open already")
		}
		identity, err := sidecar.Identity(s.ctx)
		if err != nil {
			return err
		}
		w, err := sidecar.Pod().Follow(s.ctx, mesh.SidecarContainer)
		if err != nil {
			return err
		}
		s.windows[pod] = &window{Window: w, sidecar: sidecar, started: identity}
		s.print("open onto %s/%s: Envoy %s with %s, up since %s", pod, mesh.SidecarContainer, release(identity.Version), plural(identity.Workers, "worker"), identity.Started.Format("15:04:05"))
		return nil
	},
}

// release is the number in Envoy's version string "commit/1.40.0/Clean/RELEASE/BoringSSL".
func release(version string) string {
	if parts := strings.Split(version, "/"); len(parts) > 1 {
		return parts[1]
	}
	return version
}

// finish waits until everything that Envoy has logged so far is in the window, and says how the window is not whole: lines
// were lost, or Envoy was restarted in between, so that its ids and pools are not those of before. quiet says that nobody has
// raised the log level, so that there is no debug log to wait for, nor to read.
func (w *window) finish(s *session) (quiet bool, problem error) {
	levels, err := w.sidecar.Loggers(s.ctx)
	if quiet = err == nil && levels["admin"] != "debug" && levels["admin"] != "trace"; !quiet {
		problem = w.sidecar.Fence(s.ctx, w.Window)
	}
	identity, err := w.sidecar.Identity(s.ctx)
	restart := w.started.Changed(identity)
	switch {
	case s.ctx.Err() != nil:
		return quiet, context.Cause(s.ctx)
	case err != nil && identity.Container == w.started.Container:
		return quiet, exit.Incompletef("watch %s: Envoy answers no more: %w", w.sidecar.Pod().Ref(), err)
	case restart != "":
		return quiet, exit.Incompletef("watch %s: Envoy was restarted in the middle: %s (run it again)", w.sidecar.Pod().Ref(), restart)
	}
	return quiet, problem
}
