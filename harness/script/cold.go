package script

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/run"
)

var killConnectionsCommand = Command{
	Name:    "kill-connections",
	names:   ends,
	touches: changes,
	changes: flow.TouchConnections,
	Usage:   "kill-connections [-force] POD -> POD:PORT until cold",
	Summary: "End every pooled connection on the way, and prove by the socket tables that none is left",
	Detail: "Connections with requests in flight are not ended, unless -force asks for it: Envoy's own counters " +
		"tell.\n" +
		"There are two pools: the client sidecar's connections to the server's pod, and the server sidecar's to its " +
		"own application. A\n" +
		"warm one hides most of what a first request shows. Both tables are read by ss before and after; the " +
		"connections are ended by\n" +
		"`ss -K` in the pod's own container, or from the host where that container may not (CAP_NET_ADMIN). Where " +
		"neither may, the pool stays,\n" +
		"the way is inferred again for one that may be warm, and the verdict says so.",
	hand:   handKill,
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		s.Force = len(args) > 0 && args[0] == "-force"
		if s.Force {
			args = args[1:]
		}
		from, to, err := fromTo(args)
		if err != nil {
			return err
		}
		if strings.Join(args[3:], " ") != "until cold" {
			return badUsage("it ends with: until cold")
		}
		target, err := s.target(to)
		if err != nil {
			return err
		}
		toPod, _, _ := strings.Cut(to, ":")
		if s.Outside(from) {
			from = ""
		}
		emptied, err := s.EmptyPools(s.ctx, run.Pools(from, toPod, target))
		kept := false
		for _, e := range emptied {
			if kept = kept || e.Kept != nil; e.Kept != nil {
				s.print("%s: not available: %v", e.Pool.What, e.Kept)
				continue
			}
			s.print("%s: %s ended, none left", e.Pool.What, plural(e.Killed, "connection"))
		}
		if err != nil || !kept || s.Flow.Path.Call.URL == "" {
			return err
		}
		path, err := s.InferUnemptied(s.ctx)
		if err != nil {
			return err
		}
		s.print("inferred again for pools that may have a connection: %s, %s", ending(path),
			plural(len(path.Hops), "hop"))
		return nil
	},
}

// handKill is the book's ss -K, by the address of the server's pod. Where the container may not end
// a connection, ss says nothing and ends none.
func handKill(ns string, args []string) []string {
	if len(args) < 3 {
		return nil
	}
	pod, podNS := podRef(ns, args[0])
	server, serverNS := podRef(ns, args[2])
	_, port, _ := strings.Cut(args[2], ":")
	return []string{fmt.Sprintf("kubectl exec %s -n %s -- ss -K dst \"$(kubectl get pod %s -n %s -o "+
		"jsonpath={.status.podIP})\" dport = :%s",
		pod, podNS, server, serverNS, port)}
}
