package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/netfilter"
	"github.com/flowproof/lab/internal/exit"
)

// netfilters are what netfilter printed in pods, before and after the request, by "pod.namespace".
type netfilters struct{ before, after map[string]observe.Netfilter }

// How netfilter is read: all tables of iptables with their counters, what nft has (also of a pod without iptables), and the
// connections that the kernel tracks.
var (
	rulesCommand     = []string{"iptables-save", "-c"}
	nftCommand       = []string{"nft", "-j", "list", "ruleset"}
	conntrackCommand = []string{"cat", "/proc/net/nf_conntrack"}
)

var netfilterCommand = Command{
	Name:    "netfilter",
	Usage:   "netfilter POD...",
	Summary: "Read the counters of the pods' REDIRECT rules and the connections that the kernel tracks there",
	Detail: "What is read is kept: before the request as the state of before, after it as the state of after. It is read in the pod's own\n" +
		"container, or from the host where that container may not (CAP_NET_ADMIN) and the backend knows the pod's processes. Where\n" +
		"neither can, the instrument does not take part, and the command says why.",
	run: func(s *session, args []string) error {
		if len(args) == 0 {
			return badUsage("it needs a pod")
		}
		for _, ref := range args {
			if err := s.showNetfilter(ref); err != nil {
				return err
			}
		}
		return nil
	},
}

// showNetfilter reads netfilter in a pod, keeps it, and prints the rules that redirect.
func (s *session) showNetfilter(ref string) error {
	pod, err := s.lab.Mesh.Pod(s.ctx, ref)
	if err != nil {
		return err
	}
	read, reason := s.readNetfilter(pod)
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if reason != nil && s.sent != nil && s.netfilters.before[pod.Ref()].Rules != nil {
		return exit.Incompletef("read netfilter of %s after the request, as before it: %w", pod.Ref(), reason)
	}
	if reason != nil {
		s.without(flow.Netfilter, pod.Ref(), reason)
		s.print("%s: not available: %v", pod.Ref(), reason)
		return nil
	}
	rules, err := netfilter.ParseRules(bytes.NewReader(read.Rules))
	if err != nil {
		return exit.Environmentf("read netfilter of %s: %w", pod.Ref(), err)
	}
	tracked, err := netfilter.ParseConntrack(bytes.NewReader(read.Conntrack))
	if err != nil {
		return exit.Environmentf("read netfilter of %s: %w", pod.Ref(), err)
	}
	if s.sent == nil {
		s.netfilters.before[pod.Ref()] = read
	} else {
		s.netfilters.after[pod.Ref()] = read
	}
	s.print("%s: %s", pod.Ref(), redirections(rules, tracked, read.Conntrack != nil))
	return nil
}

// redirections says how many connections each REDIRECT rule has taken.
func redirections(rules []netfilter.Rule, tracked []netfilter.Entry, tracks bool) string {
	var parts []string
	for _, r := range rules {
		if r.Target == "REDIRECT" {
			parts = append(parts, fmt.Sprintf("%s to port %d", plural(int(r.Packets), "connection"), r.Port))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no rule redirects"}
	}
	if tracks {
		parts = append(parts, plural(len(tracked), "tracked connection"))
	}
	return strings.Join(parts, ", ")
}

// readNetfilter reads netfilter from within the pod, or from the host.
func (s *session) readNetfilter(pod *mesh.Pod) (observe.Netfilter, error) {
	rules, inside := allRules(func(command []string) ([]byte, error) { return s.readInside(pod, command) })
	if inside == nil {
		conntrack, _ := s.readInside(pod, conntrackCommand) // not every kernel shows it, and the rules count without it
		return observe.Netfilter{Rules: rules, Conntrack: conntrack}, nil
	}
	pids, err := s.processes(pod, pod.App())
	if errors.Is(err, process.ErrElsewhere) {
		err = fmt.Errorf("%w (give a container of the pod iptables-save and CAP_NET_ADMIN)", process.ErrElsewhere)
	}
	if err != nil {
		return observe.Netfilter{}, fmt.Errorf("%w; nor from the host: %w", inside, err)
	}
	_, conntrack, _ := netfilterFromHost(s.ctx, pids[0])
	rules, err = allRules(func(command []string) ([]byte, error) { return commandFromHost(s.ctx, pids[0], command) })
	if err != nil {
		return observe.Netfilter{}, fmt.Errorf("%w; nor from the host: %w", inside, err)
	}
	return observe.Netfilter{Rules: rules, Conntrack: conntrack}, nil
}

// allRules reads the rules of iptables and behind them nft's listing, of which iptables-save shows its own tables only. One
// of the two programs is enough; an error is that of the first.
func allRules(read func(command []string) ([]byte, error)) ([]byte, error) {
	saved, err := read(rulesCommand)
	listed, other := read(nftCommand)
	switch {
	case err != nil && other != nil:
		return nil, err
	case err != nil:
		return listed, nil
	case other != nil:
		return saved, nil
	}
	return append(append(saved, '\n'), listed...), nil
}

// readInside runs a command in the application's container. What it prints is never nil.
func (s *session) readInside(pod *mesh.Pod, command []string) ([]byte, error) {
	out, err := pod.Exec(s.ctx, pod.App(), command, nil)
	if errors.Is(err, mesh.ErrNoProgram) {
		return nil, fmt.Errorf("no %s in %s/%s", command[0], pod.Ref(), pod.App())
	}
	if err != nil {
		return nil, err
	}
	if out.Code != 0 {
		return nil, fmt.Errorf("%s in %s/%s ended with %d: %s", command[0], pod.Ref(), pod.App(), out.Code, firstLine(out.Stderr))
	}
	return append([]byte{}, out.Stdout...), nil
}
