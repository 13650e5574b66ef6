package script

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/sockets"
)

var socketsCommand = Command{
	Name:    "sockets",
	names:   ends,
	touches: measures,
	Usage:   "sockets POD [-> POD:PORT]",
	Summary: "Print the TCP connections of a pod, or those to another pod's port",
	Detail: "The table is kept: before the request as the state of before, after it as the state of after.\n" +
		"It is read by ss in the pod's sidecar, whose connections it is about. With `->` it fails when there is no " +
		"such connection.",
	looks: []flow.Instrument{flow.Sockets},
	hand: func(ns string, args []string) []string {
		pod, ns := podRef(ns, args[0])
		return []string{fmt.Sprintf("kubectl exec %s -n %s -c %s -- ss -tanp", pod, ns, proxyContainer)}
	},
	replay: (*replay).sockets,
	run: func(s *session, args []string) error {
		switch len(args) {
		case 1:
			return s.showSockets(args[0])
		case 3:
			return s.showConnections(args)
		}
		return badUsage("it needs a pod, and maybe `-> POD:PORT`")
	},
}

func (s *session) showSockets(ref string) error {
	pod, rows, err := s.Sockets(s.ctx, ref)
	if errors.Is(err, instrument.ErrUnavailable) && fault.Of(err) != fault.Incomplete {
		s.Absent(flow.Sockets, pod.Ref(), err)
		s.print("%s: not available: %v", pod.Ref(), err)
		return nil
	}
	if err != nil {
		return err
	}
	s.printTable(rows)
	return nil
}

// printTable prints a table of connections without what joins the two processes of a sidecar.
func (s *session) printTable(rows []sockets.Row) {
	established := inState(rows, "ESTAB")
	s.print("%d established, %d listening", len(established), len(inState(rows, "LISTEN")))
	outside := slices.DeleteFunc(slices.Clone(established), withinSidecar)
	s.printRows(outside)
	if n := len(established) - len(outside); n > 0 {
		s.print("and %s on 127.0.0.1, between Envoy and pilot-agent", plural(n, "row"))
	}
}

func (s *session) showConnections(args []string) error {
	from, to, err := fromTo(args)
	if err != nil {
		return err
	}
	target, err := s.target(to)
	if err != nil {
		return err
	}
	pod, rows, err := s.Sockets(s.ctx, from)
	if err != nil {
		return err
	}
	return s.printConnections(pod.Ref(), rows, target)
}

// printConnections prints those of a pod's connections that are established to an address; that
// there is none is a mismatch.
func (s *session) printConnections(pod string, rows []sockets.Row, target netip.AddrPort) error {
	found := inState(towards(rows, target), "ESTAB")
	if len(found) == 0 {
		return fault.Mismatchf("look for connections of %s to %s: there is none", pod, target)
	}
	s.print("%s to %s", plural(len(found), "connection"), target)
	s.printRows(found)
	return nil
}

// withinSidecar says of a row that it joins the two processes of a sidecar: metrics, health
// and admin interface.
func withinSidecar(r sockets.Row) bool {
	return r.Local.Addr() == loopback && r.Peer.Addr() == loopback
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// printRows prints connections as ss does, with the owner's name where it can be seen.
func (s *session) printRows(rows []sockets.Row) {
	for _, r := range rows {
		owner := r.Process()
		if owner == "" && r.UID >= 0 {
			owner = fmt.Sprintf("uid %d", r.UID)
		}
		s.print("%-6s %-22s %-22s %s", r.State, r.Local, r.Peer, owner)
	}
}

// target reads "POD:PORT".
func (s *session) target(text string) (netip.AddrPort, error) {
	ref, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, badUsage("write the target as POD:PORT")
	}
	pod, err := s.Lab.Mesh.Pod(s.ctx, ref)
	if err != nil {
		return netip.AddrPort{}, err
	}
	target, err := netip.ParseAddrPort(pod.IP() + ":" + port)
	if err != nil {
		return netip.AddrPort{}, badUsage("the port " + port + " is not one")
	}
	return target, nil
}

func towards(rows []sockets.Row, target netip.AddrPort) []sockets.Row {
	var found []sockets.Row
	for _, r := range rows {
		if r.Peer == target {
			found = append(found, r)
		}
	}
	return found
}

func inState(rows []sockets.Row, states ...string) []sockets.Row {
	var found []sockets.Row
	for _, r := range rows {
		for _, state := range states {
			if r.State == state {
				found = append(found, r)
			}
		}
	}
	return found
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sockets shows the recorded table of a pod: before the request's line that of before.
func (r *replay) sockets(args []string) error {
	pod := r.pod(args[0])
	if pod == nil {
		return errNothing
	}
	text := pod.Part(instrument.SocketsBefore)
	if r.sent {
		text = pod.Part(instrument.SocketsAfter)
	}
	if text == nil {
		return errNothing
	}
	rows, err := sockets.Parse(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("read the socket table of %s: %w", pod.Name, err)
	}
	if len(args) != 3 {
		r.session.printTable(rows)
		return nil
	}
	ref, port, _ := strings.Cut(args[2], ":")
	server := r.pod(ref)
	if server == nil {
		return errNothing
	}
	target, err := netip.ParseAddrPort(net.JoinHostPort(server.IP, port))
	if err != nil {
		return fmt.Errorf("read the target %s: %w", args[2], err)
	}
	return r.session.printConnections(pod.Name, rows, target)
}
