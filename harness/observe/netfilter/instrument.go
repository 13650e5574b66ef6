package netfilter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// How netfilter is read: all tables of iptables with their counters, what nft has (also of a pod
// without iptables), and the connections that the kernel tracks.
var (
	rulesCommand = instrument.Command{Where: instrument.InApp, Words: []string{"iptables-save", "-c"},
		Netlink: true, Doubt: legacy}
	nftCommand = instrument.Command{Where: instrument.InApp, Words: []string{"nft", "-j", "list", "ruleset"},
		Netlink: true}
	conntrackCommand = instrument.Command{Where: instrument.InApp, Words: []string{"cat", "/proc/net/nf_conntrack"}}
)

// Instrument is the rules and the tracked connections of the pods.
type Instrument struct{}

// Name names the instrument.
func (Instrument) Name() flow.Instrument { return flow.Netfilter }

// Sees are the facts that rules and tracked connections can prove.
func (Instrument) Sees() []flow.Capability {
	var all []flow.Capability
	for _, fact := range []string{flow.FactRedirectPort, flow.FactOriginalDst, flow.FactPeer, flow.FactTranslated} {
		all = append(all, flow.Capability{Kind: flow.Redirect, Fact: fact})
	}
	return all
}

// Takes says whether it would take part on a cluster, and what it needs there.
func (Instrument) Takes(on instrument.Cluster) (part bool, why string) {
	if fits, why := instrument.HostOnly(on); !fits {
		return false, why
	}
	return true, "in the pods' network namespaces"
}

// Parts are the names of the raw evidence that it keeps.
func (Instrument) Parts() []string {
	return []string{instrument.RulesBefore, instrument.RulesAfter, instrument.ConntrackBefore,
		instrument.ConntrackAfter}
}

// Before reads netfilter in every pod; where it cannot be read the instrument does not take part.
func (Instrument) Before(ctx context.Context, pods []instrument.Target) error {
	errs := instrument.Each(pods, func(pod instrument.Target) error {
		return read(ctx, pod, instrument.RulesBefore, instrument.ConntrackBefore)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, err := range errs {
		if err != nil {
			pods[i].Absent(flow.Netfilter, err)
		}
	}
	return nil
}

// After reads it again where it was read before.
func (Instrument) After(ctx context.Context, pods []instrument.Target, _ instrument.Sent) error {
	errs := instrument.Each(pods, func(pod instrument.Target) error {
		return read(ctx, pod, instrument.RulesAfter, instrument.ConntrackAfter)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, err := range errs {
		if err != nil && pods[i].Kept(instrument.RulesBefore) != nil {
			return fault.Incompletef("read netfilter of %s after the request, as before it: %w", pods[i].Ref(), err)
		}
		if err != nil {
			pods[i].Absent(flow.Netfilter, err)
		}
	}
	return nil
}

// read keeps the rules, and the tracked connections where the kernel shows them: the rules
// count without these.
func read(ctx context.Context, pod instrument.Target, rules, conntrack string) error {
	text, err := allRules(ctx, pod)
	if err != nil {
		return err
	}
	if _, err := ParseRules(bytes.NewReader(text)); err != nil {
		return err
	}
	pod.Keep(rules, text)
	if text, err := pod.Run(ctx, conntrackCommand); err == nil {
		if _, err := ParseConntrack(bytes.NewReader(text)); err != nil {
			return err
		}
		pod.Keep(conntrack, text)
	}
	return nil
}

// allRules reads the rules of iptables and behind them nft's listing, of which iptables-save shows
// its own tables only. One of the two programs is enough; an error is that of the first.
func allRules(ctx context.Context, pod instrument.Target) ([]byte, error) {
	saved, err := pod.Run(ctx, rulesCommand)
	listed, other := pod.Run(ctx, nftCommand)
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

// errLegacy says why the host's iptables-save is not believed that a pod has no rules.
var errLegacy = errors.New("the pod has tables of iptables-legacy, which the iptables-save of this host may not show")

// legacy is errLegacy where this host's iptables-save shows no rule of a network namespace that has
// tables made by iptables-legacy: an iptables-save that shows nft's own tables (iptables-nft(8))
// shows none of them.
func legacy(pid int, saved []byte) error {
	if bytes.Contains(saved, []byte("-A ")) {
		return nil
	}
	names, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/ip_tables_names", pid))
	if err != nil || len(bytes.TrimSpace(names)) == 0 {
		return nil
	}
	return errLegacy
}

// Observe compares the rules of each pod. Without those before the request nothing can be told.
func (Instrument) Observe(e instrument.Evidence) (seen []flow.Observation, watches []flow.Watch, problem error) {
	for _, pod := range e.Pods() {
		if pod.Part(instrument.RulesBefore) == nil || pod.Part(instrument.RulesAfter) == nil {
			continue
		}
		before, err := readSnapshot(pod.Part(instrument.RulesBefore), pod.Part(instrument.ConntrackBefore))
		after, errAfter := readSnapshot(pod.Part(instrument.RulesAfter), pod.Part(instrument.ConntrackAfter))
		if err = errors.Join(err, errAfter); err != nil {
			problem = errors.Join(problem, fmt.Errorf("%s: %w", pod.Name, err))
			watches = append(watches, flow.Watch{Instrument: flow.Netfilter, Pod: pod.Name, Side: pod.Side,
				Problem: err.Error()})
			continue
		}
		observations, watch := Observe(before, after, Selection{Pod: pod.Name, Side: pod.Side, Peer: pod.Peer,
			Time: e.Answered})
		seen, watches = append(seen, observations...), append(watches, watch)
	}
	return seen, watches, problem
}

// readSnapshot reads what netfilter printed at one moment.
func readSnapshot(rules, conntrack []byte) (Snapshot, error) {
	parsed, err := ParseRules(bytes.NewReader(rules))
	tracked, errTracked := ParseConntrack(bytes.NewReader(conntrack))
	return Snapshot{Rules: parsed, Tracked: tracked, Tracks: conntrack != nil}, errors.Join(err, errTracked)
}
