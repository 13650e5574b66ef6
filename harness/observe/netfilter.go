package observe

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/netfilter"
)

// A Netfilter is what netfilter printed in a pod's network namespace at one moment. What is nil could not be read.
type Netfilter struct {
	Rules     []byte // iptables-save -c
	Conntrack []byte // /proc/net/nf_conntrack
}

// snapshot reads what netfilter printed.
func (n Netfilter) snapshot() (netfilter.Snapshot, error) {
	rules, err := netfilter.ParseRules(bytes.NewReader(n.Rules))
	tracked, errTracked := netfilter.ParseConntrack(bytes.NewReader(n.Conntrack))
	return netfilter.Snapshot{Rules: rules, Tracked: tracked, Tracks: n.Conntrack != nil}, errors.Join(err, errTracked)
}

// netfilter observes the rules and tracked connections of one pod. Without those before the request nothing can be told.
func (r Recording) netfilter(side flow.Side) ([]flow.Observation, []flow.Watch, error) {
	pod := r.pod(side)
	if pod.NetfilterBefore.Rules == nil || pod.NetfilterAfter.Rules == nil {
		return nil, nil, nil
	}
	before, err := pod.NetfilterBefore.snapshot()
	after, errAfter := pod.NetfilterAfter.snapshot()
	if err = errors.Join(err, errAfter); err != nil {
		return nil, []flow.Watch{{Instrument: flow.Netfilter, Pod: pod.Name, Side: side, Problem: err.Error()}}, fmt.Errorf("%s: %w", pod.Name, err)
	}
	seen, watch := netfilter.Observe(before, after, netfilter.Selection{Pod: pod.Name, Side: side, Peer: r.peer(side), Time: r.Answered})
	return seen, []flow.Watch{watch}, nil
}
