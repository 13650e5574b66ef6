package sockets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// command prints all TCP sockets of a network namespace with their owners, as far as these may be
// seen. -e tells of an owner's user where its process is not shown. This host's root sees the owner
// of every socket, and -e would have ss read the host's whole hierarchy of cgroups.
var command = instrument.Command{
	Where:  instrument.InSidecar,
	Words:  []string{"ss", "-H", "-t", "-n", "-a", "-p", "-e"},
	OnHost: []string{"ss", "-H", "-t", "-n", "-a", "-p"},
	Read:   socketTable,
}

// Instrument is the socket tables of the pods.
type Instrument struct{}

// Name names the instrument.
func (Instrument) Name() flow.Instrument { return flow.Sockets }

// Sees are the facts that socket tables can prove.
func (Instrument) Sees() []flow.Capability {
	var all []flow.Capability
	for kind, facts := range map[flow.HopKind][]string{
		flow.Redirect: {flow.FactRedirectPort, flow.FactPeer, flow.FactProcess, flow.FactOriginalDst},
		flow.Listener: {flow.FactListening, flow.FactProcess}, flow.Endpoint: {flow.FactEndpoint},
		flow.Connect: {flow.FactUpstreamLocal, flow.FactUpstreamRemote, flow.FactUpstreamReused, flow.FactProcess},
		flow.App:     {flow.FactPeer, flow.FactProcess},
	} {
		for _, fact := range facts {
			all = append(all, flow.Capability{Kind: kind, Fact: fact})
		}
	}
	return all
}

// Takes says whether it would take part on a cluster, and what it needs there.
func (Instrument) Takes(on instrument.Cluster) (part bool, why string) {
	if !on.Exec {
		return instrument.NoRight("create pods/exec")
	}
	return true, "a container of each pod needs ss"
}

// Parts are the names of the raw evidence that it keeps.
func (Instrument) Parts() []string {
	return []string{instrument.SocketsBefore, instrument.SocketsAfter, instrument.SocketsAgain}
}

// Before reads the table of every pod; where it cannot be read the instrument does not take part.
func (Instrument) Before(ctx context.Context, pods []instrument.Target) error {
	for i, err := range readAll(ctx, pods, instrument.SocketsBefore) {
		pod := pods[i]
		if errors.Is(err, instrument.ErrUnavailable) {
			pod.Absent(flow.Sockets, err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// After reads it again.
func (Instrument) After(ctx context.Context, pods []instrument.Target, _ instrument.Sent) error {
	for i, err := range readAll(ctx, pods, instrument.SocketsAfter) {
		pod := pods[i]
		switch {
		case errors.Is(err, instrument.ErrUnavailable) && pod.Kept(instrument.SocketsBefore) != nil:
			return fault.Incompletef("read sockets of %s after the request, as before it: %w", pod.Ref(), err)
		case errors.Is(err, instrument.ErrUnavailable):
			pod.Absent(flow.Sockets, err)
		case err != nil:
			return err
		}
	}
	return readAgain(ctx, pods)
}

// readAgain reads the client's table once more where it has a pool: a connection of it that has no
// other end in a server's table, which was read meanwhile, has ended since, or it is still there
// and the tables do not fit.
func readAgain(ctx context.Context, pods []instrument.Target) error {
	for _, pod := range pods {
		if pod.Side() != flow.Client || !Again(pod.Kept(instrument.SocketsAfter)) {
			continue
		}
		if err := Read(ctx, pod, instrument.SocketsAgain); err != nil {
			return fault.Incompletef("read sockets of %s once more: %w", pod.Ref(), err)
		}
	}
	return nil
}

// Again says whether a client's table is read once more after all others: where it has a pool.
func Again(table []byte) bool {
	rows, err := Parse(bytes.NewReader(table))
	return err == nil && pooled(rows)
}

// pooled says whether a table has several connections to one peer.
func pooled(rows []Row) bool {
	seen := map[netip.AddrPort]bool{}
	for _, r := range established(rows, func(Row) bool { return true }) {
		if seen[r.Peer] {
			return true
		}
		seen[r.Peer] = true
	}
	return false
}

// readAll reads the tables of all pods at once: the two ends of one connection are in two of them.
func readAll(ctx context.Context, pods []instrument.Target, part string) []error {
	return instrument.Each(pods, func(pod instrument.Target) error { return Read(ctx, pod, part) })
}

// Read reads the socket table of a pod and keeps it as a part.
func Read(ctx context.Context, pod instrument.Target, part string) error {
	text, err := pod.Run(ctx, command)
	if err != nil {
		return fault.Environmentf("read sockets of %s: %w", pod.Ref(), err)
	}
	if _, err := Parse(bytes.NewReader(text)); err != nil {
		return fault.Environmentf("read sockets of %s: %w", pod.Ref(), err)
	}
	pod.Keep(part, text)
	return nil
}

// Observe reads the tables of client and server together, because the two ends of a connection
// are in different ones.
func (Instrument) Observe(e instrument.Evidence) (seen []flow.Observation, watches []flow.Watch, problem error) {
	servers := e.Servers
	if len(servers) == 0 {
		servers = []instrument.Pod{{Side: flow.Server}}
	}
	for i, server := range servers {
		if i > 0 && server.Part(instrument.SocketsAfter) == nil {
			continue
		}
		observations, tables, err := between(e, server)
		if i > 0 { // the client's own table is told with the first
			notClient := func(side flow.Side) bool { return side == flow.Client }
			observations = slices.DeleteFunc(observations, func(o flow.Observation) bool { return notClient(o.Side) })
			tables = slices.DeleteFunc(tables, func(w flow.Watch) bool { return notClient(w.Side) })
		}
		seen, watches, problem = append(seen, observations...), append(watches, tables...), errors.Join(problem, err)
	}
	return seen, watches, problem
}

// between reads the tables of the client and one server.
func between(e instrument.Evidence, server instrument.Pod) ([]flow.Observation, []flow.Watch, error) {
	if e.Client.Part(instrument.SocketsAfter) == nil && server.Part(instrument.SocketsAfter) == nil {
		return nil, nil, nil
	}
	var problems []error
	read := func(what string, text []byte) []Row {
		if text == nil {
			return nil
		}
		rows, err := Parse(bytes.NewReader(text))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", what, err))
			return nil
		}
		return rows
	}
	address := func(pod instrument.Pod) Pod {
		ip, err := netip.ParseAddr(pod.IP)
		if err != nil && pod.Name != "" {
			problems = append(problems, fmt.Errorf("read address of %s: %w", pod.Name, err))
		}
		return Pod{Name: pod.Name, IP: ip.Unmap()}
	}
	tables := Tables{Time: e.Answered,
		ClientBefore: read("client before", e.Client.Part(instrument.SocketsBefore)),
		ClientAfter:  read("client after", e.Client.Part(instrument.SocketsAfter)),
		ClientAgain:  read("client again", e.Client.Part(instrument.SocketsAgain)),
		ServerBefore: read("server before", server.Part(instrument.SocketsBefore)),
		ServerAfter:  read("server after", server.Part(instrument.SocketsAfter))}
	seen, watches := Observe(tables, Selection{Client: address(e.Client), Server: address(server),
		Port: e.Port, Peer: e.Peer, Cold: e.Cold})
	watches = slices.DeleteFunc(watches, func(w flow.Watch) bool {
		pod := e.Client
		if w.Side == flow.Server {
			pod = server
		}
		return pod.Part(instrument.SocketsAfter) == nil
	})
	return seen, watches, errors.Join(problems...)
}
