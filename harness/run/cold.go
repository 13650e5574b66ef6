package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/sockets"
)

// coldTimeout bounds how long connections are killed that others open again and again: each one
// that is ended costs them a request.
const coldTimeout = 3 * time.Second

// inboundSource is the address from which a sidecar dials its own application; source: Istio's
// InboundPassthroughBindIpv4.
var inboundSource = netip.MustParseAddr("127.0.0.6")

// ErrMayNotKill says that no container of a pod, nor this process, has the right to end
// the pod's connections.
var ErrMayNotKill = errors.New("connections cannot be ended here")

// ErrInUse says that others opened the connections of a pool again as often as they were ended.
var ErrInUse = errors.New("others send requests over it")

// ErrNotCold is in the chain of the error about pools that could not be emptied.
var ErrNotCold = errors.New("end the connections on the way")

// A Pool is the set of connections of a pod's sidecar to one address.
type Pool struct {
	Pod    string
	Local  netip.Addr // zero: any
	Remote netip.AddrPort
	What   string
}

// Pools are the two pools on the way from a pod to an application's address: of the client's
// sidecar to the server's pod, and of the server's sidecar to its own application. A client without
// a sidecar has none.
func Pools(client, server string, target netip.AddrPort) []Pool {
	pools := []Pool{{Pod: client, Remote: target, What: "the client sidecar's pool"},
		{Pod: server, Local: inboundSource, Remote: target, What: "the server sidecar's pool to its application"}}
	if client == "" {
		return pools[1:]
	}
	return pools
}

// live are the pool's connections in any state in which Envoy could still use one.
func (p Pool) live(rows []sockets.Row) []sockets.Row {
	var live []sockets.Row
	for _, r := range rows {
		if r.Peer == p.Remote && slices.Contains([]string{"ESTAB", "SYN-SENT", "CLOSE-WAIT"}, r.State) &&
			(!p.Local.IsValid() || r.Local.Addr() == p.Local) {
			live = append(live, r)
		}
	}
	return live
}

// Emptied is what became of one pool.
type Emptied struct {
	Pool   Pool
	Killed int
	Kept   error // why its connections could not be ended; nil: none is left
}

// EmptyPools ends every connection of the pools, and proves by the socket tables that none is left.
// Before the request, a pool that may not be emptied, has requests in flight, or is filled again at
// once, is kept: then nothing is said about the pools, and the run notes what that costs.
func (s *Session) EmptyPools(ctx context.Context, pools []Pool) ([]Emptied, error) {
	s.cold, s.warm, s.unknown, s.proven = false, false, false, nil
	tables, err := s.tables(ctx, pools)
	if err != nil {
		return nil, err
	}
	may := s.mayEmpty(ctx, pools, tables)
	var all []Emptied
	kept, filled := false, false // filled: others filled a pool again, so what was seen of the next is old
	for i, p := range pools {
		live := p.live(tables[s.FullName(p.Pod)])
		if len(live) == 0 {
			all = append(all, Emptied{p, 0, nil})
			continue
		}
		killed, err := 0, may[i]
		if err == nil {
			found := len(live)
			if filled {
				live = nil
			}
			killed, err = s.emptyPool(ctx, p, live)
			filled = filled || killed != found
		}
		if (errors.Is(err, ErrMayNotKill) || errors.Is(err, ErrInUse) && !s.insist) && s.sent == nil {
			s.poolUnknown(p, err)
			all, kept = append(all, Emptied{p, killed, err}), true
			continue
		}
		if err != nil {
			return all, err
		}
		all = append(all, Emptied{p, killed, nil})
	}
	if s.cold = s.sent == nil && !kept; s.cold {
		s.proven = pools
	}
	return all, nil
}

// mayEmpty says of each pool, whose pod is watched, why it may not be emptied; nil: it may, or is
// empty. Each sidecar is looked at for a while, all at once, and nothing is ended before all were.
func (s *Session) mayEmpty(ctx context.Context, pools []Pool, tables map[string][]sockets.Row) []error {
	may := make([]error, len(pools))
	var looking sync.WaitGroup
	for i, p := range pools {
		if live := p.live(tables[s.FullName(p.Pod)]); len(live) > 0 {
			looking.Go(func() { may[i] = s.mayEnd(ctx, p, len(live)) })
		}
	}
	looking.Wait()
	return may
}

// emptyPool kills until the table shows that the pool is empty, and returns how many connections it
// took. live are those that it has now, of which it is known that they may be ended; nil: that is
// looked for first.
func (s *Session) emptyPool(ctx context.Context, p Pool, live []sockets.Row) (killed int, err error) {
	deadline := time.Now().Add(coldTimeout)
	pod, err := s.watch(ctx, p.Pod)
	if err != nil {
		return 0, err
	}
	for ; ; live = nil {
		if live == nil {
			_, rows, err := s.Sockets(ctx, p.Pod)
			if err != nil {
				return killed, err
			}
			if live = p.live(rows); len(live) == 0 {
				return killed, nil
			}
			if time.Now().After(deadline) {
				return killed, fault.Environmentf("empty %s: %w: %s to %s %s after the first was ended (send the "+
					"request when the others have ended)",
					p.What, ErrInUse, plural(len(live), "connection"), p.Remote, coldTimeout)
			}
			if err := s.mayEnd(ctx, p, len(live)); err != nil {
				return killed, err
			}
		}
		if err := s.kill(ctx, pod.Pod, live); err != nil {
			return killed, fault.Environmentf("empty %s: %w", p.What, err)
		}
		killed += len(live)
		s.Touched(flow.Touch{Kind: flow.TouchConnections, Pod: s.FullName(p.Pod),
			What: fmt.Sprintf("%s to %s ended", plural(len(live), "connection"), p.Remote)}, "", nil)
	}
}

// tables are the socket tables of the pods of pools, by "pod.namespace", each read
// once, and all at once.
func (s *Session) tables(ctx context.Context, pools []Pool) (map[string][]sockets.Row, error) {
	tables := map[string][]sockets.Row{}
	var refs []string
	for _, p := range pools {
		if ref := s.FullName(p.Pod); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
			if _, err := s.watch(ctx, ref); err != nil {
				return nil, err
			}
		}
	}
	read, err := atOnce(refs, func(ref string) ([]sockets.Row, error) {
		_, rows, err := s.Sockets(ctx, ref)
		return rows, err
	})
	for i, rows := range read {
		tables[refs[i]] = rows
	}
	return tables, err
}

// Sockets reads a pod's socket table and keeps it: before the request as the one of before, after
// it as the one of after.
func (s *Session) Sockets(ctx context.Context, ref string) (Pod, []sockets.Row, error) {
	w, err := s.watch(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	part := instrument.SocketsBefore
	if s.sent != nil {
		part = instrument.SocketsAfter
	}
	if err := sockets.Read(ctx, w, part); err != nil {
		if s.sent != nil && errors.Is(err, instrument.ErrUnavailable) && w.parts[instrument.SocketsBefore] != nil {
			err = fault.Incompletef("%w (before the request it could be read)", err)
		}
		return w.Pod, nil, err
	}
	rows, err := sockets.Parse(bytes.NewReader(w.parts[part]))
	return w.Pod, rows, err
}

// kill ends connections by SOCK_DESTROY, which needs CAP_NET_ADMIN in the pod's network namespace:
// the host's root has it, where the backend knows the pod's processes; else some container of the
// pod may.
func (s *Session) kill(ctx context.Context, pod Pod, live []sockets.Row) error {
	outside := s.killOutside(ctx, pod, live)
	if outside == nil {
		return nil
	}
	inside := killInside(ctx, pod, live)
	switch {
	case inside == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(outside, process.ErrElsewhere):
		return fmt.Errorf("%w: %w; nor from the host: %w (give a container of the pod ss and CAP_NET_ADMIN)",
			ErrMayNotKill, inside, process.ErrElsewhere)
	case errors.Is(outside, fs.ErrPermission):
		return fmt.Errorf("%w: %w; nor from the host: %w (run as root)", ErrMayNotKill, inside, outside)
	}
	return fmt.Errorf("%w; nor from the host: %w", inside, outside)
}

// killOutside ends connections from this host.
func (s *Session) killOutside(ctx context.Context, pod Pod, live []sockets.Row) error {
	pids, err := s.Lab.Processes(ctx, pod, mesh.SidecarContainer)
	if err != nil {
		return err
	}
	return destroySockets(pids[0], live)
}

// killInside runs ss -K in the application's container and checks that it was obeyed: ss says
// nothing when the kernel refuses.
func killInside(ctx context.Context, pod Pod, live []sockets.Row) error {
	for _, r := range live {
		command := []string{"ss", "-H", "-K", "-t", "-n", "src", r.Local.String(), "dst", r.Peer.String()}
		out, err := pod.Exec(ctx, pod.App(), command, nil)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
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
