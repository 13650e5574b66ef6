package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/sockets"
	"github.com/flowproof/lab/internal/exit"
)

// coldTimeout bounds how long connections are killed that are opened again and again.
const coldTimeout = 10 * time.Second

// inboundSource is the address from which a sidecar dials its own application; source: Istio's InboundPassthroughBindIpv4.
var inboundSource = netip.MustParseAddr("127.0.0.6")

var killConnectionsCommand = Command{
	Name:    "kill-connections",
	Usage:   "kill-connections POD -> POD:PORT until cold",
	Summary: "End every pooled connection on the way, and prove by the socket tables that none is left",
	Detail: "There are two pools: the client sidecar's connections to the server's pod, and the server sidecar's to its own application. A\n" +
		"warm one hides most of what a first request shows. Both tables are read by ss before and after; the connections are ended by\n" +
		"`ss -K` in the pod's own container, or from the host where that container may not (CAP_NET_ADMIN). Where neither may, the pool stays,\n" +
		"the way is inferred again for one that may be warm, and the verdict says so.",
	run: func(s *session, args []string) error {
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
		client := pool{pod: from, remote: target, what: "the client sidecar's pool"}
		server := pool{pod: toPod, local: inboundSource, remote: target, what: "the server sidecar's pool to its application"}
		pools := []pool{client, server}
		if s.outsiders[from] != nil {
			pools = pools[1:] // no sidecar pools for it
		}
		s.tables.cold, s.tables.warm = false, false
		kept := false
		for _, p := range pools {
			killed, err := s.emptyPool(p)
			if errors.Is(err, errMayNotKill) && s.run.Path.Call.URL != "" && s.sent == nil {
				s.run.Absences = append(s.run.Absences, flow.Absence{Instrument: "kill-connections", Pod: s.fullName(p.pod), Reason: err.Error(),
					Cost: "a pooled connection may be used, and that a first request dials is not judged"})
				s.print("%s: not available: %v", p.what, err)
				kept = true
				continue
			}
			if err != nil {
				return err
			}
			s.print("%s: %s ended, none left", p.what, plural(killed, "connection"))
		}
		if kept {
			return s.inferUnemptied()
		}
		s.tables.cold = s.sent == nil
		return nil
	},
}

// errMayNotKill says that nobody here has the right to end a pod's connections: neither a container of the pod, nor this process.
var errMayNotKill = errors.New("connections cannot be ended here")

// inferUnemptied infers the same call again for pools that may have a connection. It is still before the request.
func (s *session) inferUnemptied() error {
	path, err := s.infer(s.run.Call, infer.WayOptions{}, s.inferredFrom)
	if err != nil {
		return exit.Usagef("infer again, with pools that may be warm: %w", err)
	}
	s.run.Path = path
	s.print("inferred again for pools that may have a connection: %s, %s", ending(path), plural(len(path.Hops), "hop"))
	return nil
}

// fullName is a pod's "name.namespace".
func (s *session) fullName(ref string) string {
	name, namespace := mesh.SplitRef(ref)
	return name + "." + namespace
}

// A pool is the set of connections of a pod's sidecar to one address.
type pool struct {
	pod    string
	local  netip.Addr // zero: any
	remote netip.AddrPort
	what   string
}

// live are the pool's connections in any state in which Envoy could still use one.
func (p pool) live(rows []sockets.Row) []sockets.Row {
	var live []sockets.Row
	for _, r := range inState(towards(rows, p.remote), "ESTAB", "SYN-SENT", "CLOSE-WAIT") {
		if !p.local.IsValid() || r.Local.Addr() == p.local {
			live = append(live, r)
		}
	}
	return live
}

// emptyPool kills until the table shows that the pool is empty, and returns how many connections it took.
func (s *session) emptyPool(p pool) (killed int, err error) {
	deadline := time.Now().Add(coldTimeout)
	for {
		pod, rows, err := s.readSockets(p.pod)
		if err != nil {
			return killed, err
		}
		live := p.live(rows)
		if len(live) == 0 {
			return killed, nil
		}
		if time.Now().After(deadline) {
			return killed, exit.Environmentf("empty %s: %s to %s stay open %s after the first was ended (does somebody else send requests?)",
				p.what, plural(len(live), "connection"), p.remote, coldTimeout)
		}
		if err := s.kill(pod, live); err != nil {
			return killed, exit.Environmentf("empty %s: %w", p.what, err)
		}
		killed += len(live)
	}
}

// kill ends connections by SOCK_DESTROY, which needs CAP_NET_ADMIN in the pod's network namespace: some container of the
// pod may have it; else the host's root does, where the backend knows the pod's processes.
func (s *session) kill(pod *mesh.Pod, live []sockets.Row) error {
	reason := s.killInside(pod, live)
	if reason == nil {
		return nil
	}
	pids, err := s.processes(pod, mesh.SidecarContainer)
	if errors.Is(err, process.ErrElsewhere) {
		return fmt.Errorf("%w: %w; nor from the host: %w (give a container of the pod ss and CAP_NET_ADMIN)", errMayNotKill, reason, process.ErrElsewhere)
	}
	if err != nil {
		return fmt.Errorf("%w; nor from the host: %w", reason, err)
	}
	err = destroySockets(pids[0], live)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w; nor from the host: %w (run as root)", errMayNotKill, reason, err)
	}
	if err != nil {
		return fmt.Errorf("%w; nor from the host: %w", reason, err)
	}
	return nil
}

// killInside runs ss -K in the application's container and checks that it was obeyed: ss says nothing when the kernel refuses.
func (s *session) killInside(pod *mesh.Pod, live []sockets.Row) error {
	for _, r := range live {
		command := []string{"ss", "-H", "-K", "-t", "-n", "src", r.Local.String(), "dst", r.Peer.String()}
		out, err := pod.Exec(s.ctx, pod.App(), command, nil)
		if err != nil {
			if s.ctx.Err() != nil {
				return context.Cause(s.ctx)
			}
			if errors.Is(err, mesh.ErrNoProgram) {
				return fmt.Errorf("no ss in %s/%s", pod.Ref(), pod.App())
			}
			return err
		}
		if out.Code != 0 || !strings.Contains(string(out.Stdout), r.Peer.String()) {
			return fmt.Errorf("ss -K in %s/%s killed nothing: %s", pod.Ref(), pod.App(), firstLine(out.Stderr))
		}
	}
	return nil
}
