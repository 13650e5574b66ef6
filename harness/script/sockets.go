package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/sockets"
	"github.com/flowproof/lab/internal/exit"
)

// tables are the socket tables of pods as ss printed them, before and after the request, by "pod.namespace".
type tables struct {
	before, after map[string][]byte
	cold          bool // kill-connections left no pooled connection
	warm          bool // pool-connections left one with every worker
}

// ssCommand prints all TCP sockets of the pod's network namespace with their owners, as far as the container may see them.
var ssCommand = []string{"ss", "-H", "-t", "-n", "-a", "-p", "-e"}

var socketsCommand = Command{
	Name:    "sockets",
	Usage:   "sockets POD [-> POD:PORT]",
	Summary: "Print the TCP connections of a pod, or those to another pod's port",
	Detail: "The table is kept: before the request as the state of before, after it as the state of after.\n" +
		"It is read by ss in the pod's sidecar, whose connections it is about. With `->` it fails when there is no such connection.",
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

// readSockets reads a pod's socket table and keeps it.
func (s *session) readSockets(ref string) (*mesh.Pod, []sockets.Row, error) {
	pod, err := s.lab.Mesh.Pod(s.ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	table, err := s.lab.SocketTable(s.ctx, pod)
	if err != nil {
		return pod, nil, exit.Environmentf("read sockets of %s: %w", pod.Ref(), err)
	}
	rows, err := sockets.Parse(bytes.NewReader(table))
	if err != nil {
		return nil, nil, exit.Environmentf("read sockets of %s: %w", pod.Ref(), err)
	}
	s.keepSockets(pod.Ref(), table)
	return pod, rows, nil
}

// SocketTable runs ss where it is: in the pod's sidecar, whose connections the table is about and whose sockets' owners it alone
// may see, in another container of the pod, or on this host in the pod's network. errNoSS is in the chain when it is nowhere.
func (l Lab) SocketTable(ctx context.Context, pod *mesh.Pod) ([]byte, error) {
	containers := slices.DeleteFunc(pod.Containers(), func(name string) bool { return name == mesh.SidecarContainer })
	if slices.Contains(pod.Containers(), mesh.SidecarContainer) {
		containers = slices.Insert(containers, 0, mesh.SidecarContainer)
	}
	for _, container := range containers {
		out, err := pod.Exec(ctx, container, ssCommand, nil)
		switch {
		case errors.Is(err, mesh.ErrNoProgram):
			continue
		case err != nil:
			return nil, err
		case out.Code != 0:
			return nil, fmt.Errorf("ss in %s/%s ended with %d: %s", pod.Ref(), container, out.Code, firstLine(out.Stderr))
		}
		return append([]byte{}, out.Stdout...), nil
	}
	pids, err := l.processes(ctx, pod, pod.App())
	if err != nil {
		return nil, fmt.Errorf("%w in any of its containers; nor can this host's be used: %w (add a container that has it: "+
			"kubectl debug -n %s %s --image docker.io/nicolaka/netshoot -c tools -- sleep 1d)", errNoSS, err, pod.Namespace(), pod.Name())
	}
	table, err := commandFromHost(ctx, pids[0], ssCommand)
	if err != nil {
		return nil, fmt.Errorf("%w in any of its containers; nor can this host's be used: %w", errNoSS, err)
	}
	return table, nil
}

// errNoSS says that a pod's socket table cannot be read.
var errNoSS = errors.New("there is no ss")

func (s *session) keepSockets(pod string, table []byte) {
	if s.sent == nil {
		s.tables.before[pod] = table
	} else {
		s.tables.after[pod] = table
	}
}

func (s *session) showSockets(ref string) error {
	pod, rows, err := s.readSockets(ref)
	if errors.Is(err, errNoSS) && s.sent != nil && s.tables.before[pod.Ref()] != nil {
		return exit.Incompletef("read sockets of %s after the request, as before it: %w", pod.Ref(), err)
	}
	if errors.Is(err, errNoSS) {
		s.without(flow.Sockets, pod.Ref(), err)
		s.print("%s: not available: %v", pod.Ref(), err)
		return nil
	}
	if err != nil {
		return err
	}
	established := inState(rows, "ESTAB")
	s.print("%d established, %d listening", len(established), len(inState(rows, "LISTEN")))
	outside := slices.DeleteFunc(slices.Clone(established), withinSidecar)
	s.printRows(outside)
	if n := len(established) - len(outside); n > 0 {
		s.print("and %s on 127.0.0.1, between Envoy and pilot-agent", plural(n, "row"))
	}
	return nil
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
	pod, rows, err := s.readSockets(from)
	if err != nil {
		return err
	}
	found := inState(towards(rows, target), "ESTAB")
	if len(found) == 0 {
		return exit.Mismatchf("look for connections of %s to %s: there is none", pod.Ref(), target)
	}
	s.print("%s to %s", plural(len(found), "connection"), target)
	s.printRows(found)
	return nil
}

// withinSidecar says of a row that it joins the two processes of a sidecar: metrics, health and admin interface.
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
	pod, err := s.lab.Mesh.Pod(s.ctx, ref)
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

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}
