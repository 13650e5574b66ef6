package script

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/netfilter"
)

var netfilterCommand = Command{
	Name:    "netfilter",
	names:   every,
	touches: measures,
	Usage:   "netfilter POD...",
	Summary: "Read the counters of the pods' REDIRECT rules and the connections that the kernel tracks there",
	Detail: "What is read is kept: before the request as the state of before, after it as the state of after. It is " +
		"read in the pod's own\n" +
		"container, or from the host where that container may not (CAP_NET_ADMIN) and the backend knows the pod's " +
		"processes. Where\n" +
		"neither can, the instrument does not take part, and the command says why.",
	looks: []flow.Instrument{flow.Netfilter},
	hand: func(ns string, args []string) []string {
		return eachPod(ns, args, func(pod, _ string) string {
			return fmt.Sprintf("for pid in $(pgrep envoy); do [ \"$(nsenter -t $pid -u hostname)\" = %s ] && nsenter "+
				"-t $pid -n iptables-save -c -t nat; done", pod)
		})
	},
	replay: nothingRecorded,
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

// showNetfilter reads netfilter in a pod and prints the rules that redirect.
func (s *session) showNetfilter(ref string) error {
	if err := s.Look(s.ctx, flow.Netfilter, ref); err != nil {
		return err
	}
	pod := s.FullName(ref)
	rules, conntrack := s.Kept(pod, instrument.RulesBefore), s.Kept(pod, instrument.ConntrackBefore)
	if s.Sent() {
		rules, conntrack = s.Kept(pod, instrument.RulesAfter), s.Kept(pod, instrument.ConntrackAfter)
	}
	if rules == nil {
		s.print("%s: not available: %s", pod, s.WhyAbsent(flow.Netfilter, pod))
		return nil
	}
	parsed, _ := netfilter.ParseRules(bytes.NewReader(rules)) // what is kept can be read
	tracked, _ := netfilter.ParseConntrack(bytes.NewReader(conntrack))
	s.print("%s: %s", pod, redirections(parsed, tracked, conntrack != nil))
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
