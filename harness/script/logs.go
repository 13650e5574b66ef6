package script

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
)

var logsCommand = Command{
	Name:    "logs",
	names:   last,
	touches: measures,
	Usage:   "logs follow POD",
	Summary: "Open a window onto the log of a pod's sidecar; observe closes it",
	Detail: "What is logged from here on is kept. The window is open when the command ends, so nothing that follows " +
		"is missed.",
	looks: []flow.Instrument{flow.EnvoyLog, flow.AccessLog},
	hand: func(ns string, args []string) []string {
		pod, ns := podRef(ns, args[len(args)-1])
		return []string{fmt.Sprintf("kubectl logs -f %s -n %s -c %s", pod, ns, proxyContainer)}
	},
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) != 2 || args[0] != "follow" {
			return badUsage("it needs follow and one pod")
		}
		pod, identity, opened, err := s.FollowLog(s.ctx, args[1])
		if err != nil {
			return err
		}
		if !opened {
			return badUsage("a window onto " + pod + " is open already")
		}
		s.print("open onto %s/%s: Envoy %s with %s, up since %s", pod, mesh.SidecarContainer, release(identity.Version),
			plural(identity.Workers, "worker"), identity.Started.Format("15:04:05"))
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
