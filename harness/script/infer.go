package script

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/exit"
)

var inferCommand = Command{
	Name:    "infer",
	Usage:   "infer [-cold | -warm] FROM -> URL",
	Summary: "Infer from the kept dumps alone which way a request takes, hop by hop",
	Detail: "It reads what dump has kept, and never the cluster. A FROM without a kept dump is a pod without a sidecar, and so is\n" +
		"POD/istio-proxy: the rules that capture let the sidecar's own user pass. With -cold it is\n" +
		"inferred that no connection is pooled, which kill-connections then makes true and verify checks; with -warm, that every worker has\n" +
		"one, as after pool-connections. Where netfilter has read the pods' rules before, they decide what is redirected; else Istio's own\n" +
		"are assumed. From a client outside of the mesh the URL names a port of a node: what stands behind it is taken from the Service, which\n" +
		"show service has read.",
	offline: func([]string) bool { return true },
	run: func(s *session, args []string) error {
		var opts infer.WayOptions
		if len(args) > 0 && (args[0] == "-cold" || args[0] == "-warm") {
			opts.Cold, opts.Warm, args = args[0] == "-cold", args[0] == "-warm", args[1:]
		}
		from, to, err := fromTo(args)
		if err != nil || len(args) != 3 {
			return badUsage("write FROM -> URL")
		}
		if s.sent != nil {
			return badUsage("the request has been sent already, and inference comes first")
		}
		call, err := s.newCall(from, to)
		if err != nil {
			return err
		}
		path, err := s.infer(call, opts, s.dumps)
		if err != nil {
			return exit.Usagef("infer %s -> %s: %w", from, to, err)
		}
		s.run.Call, s.run.Path = call, path
		s.print("%s, %s", ending(path), plural(len(path.Hops), "hop"))
		for _, hop := range path.Hops {
			s.print("%-24s %s", nameOf(hop), hop.Decision)
		}
		return nil
	},
}

// ending says how a path ends.
func ending(path flow.Path) string {
	text := string(path.Outcome)
	if path.Failure != "" {
		text += " " + strings.ReplaceAll(string(path.Failure), "_", " ")
	}
	if path.Flag != "" {
		text += " (" + path.Flag + ")"
	}
	return text
}

// nameOf is how scripts and reports name a hop: client/route.
func nameOf(hop flow.Hop) string {
	if hop.Side == "" {
		return string(hop.Kind)
	}
	return string(hop.Side) + "/" + string(hop.Kind)
}

// infer finds the two dumps that the call is about among those given, and remembers which they were.
func (s *session) infer(call flow.Call, opts infer.WayOptions, dumps map[string][]byte) (flow.Path, error) {
	if len(dumps) == 0 {
		return flow.Path{}, badUsage("there is no dump to infer from")
	}
	parsed := map[string]*configdump.Dump{}
	for pod, text := range dumps {
		dump, err := configdump.Parse(text)
		if err != nil {
			return flow.Path{}, err
		}
		defer dump.Close()
		parsed[pod] = dump
	}
	caller := callerOf(call)
	client := parsed[caller]
	if call.Container == mesh.SidecarContainer {
		client = nil // the sidecar's own user passes its pod's rules uncaptured
	}
	if client == nil {
		var err error
		if opts.Source, err = s.addressOf(call); err != nil {
			return flow.Path{}, err
		}
		if opts.NodePort, err = s.nodePort(call); err != nil {
			return flow.Path{}, err
		}
	}
	delete(parsed, caller)
	server, err := chooseServer(client, parsed, call, opts)
	if err != nil {
		return flow.Path{}, err
	}
	q := infer.Question{Schema: infer.QuestionSchema, Call: call, Options: opts}
	q.Options.ClientRules = string(s.netfilters.before[caller].Rules)
	used := map[string][]byte{}
	if client != nil {
		q.Client, used[caller] = caller, dumps[caller]
	}
	if server != nil {
		q.Server = server.Node().Proxy()
		q.Options.ServerRules = string(s.netfilters.before[q.Server].Rules)
		used[q.Server] = dumps[q.Server]
	}
	s.question, s.inferredFrom = q, used
	return infer.Way(client, server, call, q.Options)
}

// addressOf is the address that a call is sent from.
func (s *session) addressOf(call flow.Call) (string, error) {
	if call.Outside {
		return s.outsiders[call.From].IP, nil
	}
	pod, err := s.lab.Mesh.Pod(s.ctx, callerOf(call))
	if err != nil {
		return "", err
	}
	return pod.IP(), nil
}

// chooseServer returns the dump of the pod that the client's way ends at: the one whose address is an endpoint's. It is nil
// where none is.
func chooseServer(client *configdump.Dump, others map[string]*configdump.Dump, call flow.Call, opts infer.WayOptions) (*configdump.Dump, error) {
	if client == nil {
		if len(others) == 1 {
			for _, server := range others {
				return server, nil
			}
		}
		return nil, badUsage("without the client's dump, exactly one other is needed")
	}
	hosts, err := infer.Destination(client, call, opts)
	if err != nil {
		return nil, err
	}
	for _, host := range hosts {
		address, err := netip.ParseAddrPort(host.Address)
		if err != nil {
			continue // a pipe or an internal listener has no pod
		}
		for _, server := range others {
			if slices.Contains(server.Node().IPs, address.Addr().String()) {
				return server, nil
			}
		}
	}
	return nil, nil
}
