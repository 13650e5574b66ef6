//go:build linux && amd64

package trace

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/internal/symbols"
)

// Prove runs the binary at path in a network namespace of its own, sends requests through it, and keeps of the table only
// the probes that told the truth about every one of them. Names that are random, one short and one long, are looked for
// in the objects, and have to be read from there again; requests on many connections at once have to be joined as the
// upstream saw them. A probe that fails is off in the Proof, with the reason. The error is for a binary that cannot be run.
func Prove(ctx context.Context, path string, table *symbols.Table) (*symbols.Proof, error) {
	type result struct {
		proof *symbols.Proof
		err   error
	}
	done := make(chan result, 1)
	go func() { // its thread is not used for anything else afterwards
		proof, err := prove(ctx, path, table)
		done <- result{proof, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("prove symbols of build %s: %w", table.BuildID, r.err)
	}
	return r.proof, nil
}

func prove(ctx context.Context, path string, table *symbols.Table) (proof *symbols.Proof, err error) {
	b, err := newBench(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	p := &prover{bench: b, proof: &symbols.Proof{Schema: symbols.ProofSchema, BuildID: table.BuildID, Table: table}}
	if err := p.findValues(); err != nil {
		return nil, err
	}
	if err := p.findJoin(); err != nil {
		return nil, err
	}
	p.propose()
	if err := p.check(); err != nil {
		return nil, err
	}
	return p.proof, nil
}

type prover struct {
	bench *bench
	proof *symbols.Proof
}

// observe watches Envoy with recipes while do sends requests.
func (p *prover) observe(recipes []envoy.Recipe, sources []source, do func() error) (*Recording, error) {
	w, err := newWatcher(kernel.Options{Data: DefaultData}, true)
	if err != nil {
		return nil, err
	}
	err = w.watch(p.bench.netns, benchPod)
	if err == nil {
		err = w.start()
	}
	if err == nil {
		err = w.attach(p.bench.envoy.Process.Pid, recipes, sources)
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	doErr := do()
	r, err := w.stop()
	if err := errors.Join(doErr, err); err != nil {
		return nil, err
	}
	for _, s := range r.Probes {
		if !s.Attached {
			return nil, fmt.Errorf("probe %s: %s", s.Name, s.Problem)
		}
	}
	if r.Counts.Lost > 0 || r.Counts.Missed > 0 || r.Problem != "" {
		return nil, fmt.Errorf("%d events lost, %d missed %s", r.Counts.Lost, r.Counts.Missed, r.Problem)
	}
	return r, nil
}

// benchPod is how the bench's events are named.
const benchPod = "proof"

// propose adds to what was found what needs no finding: the server name, which is an argument, and the statements.
func (p *prover) propose() {
	t := p.proof.Table
	if place, ok := t.Functions[symbols.OnServerName]; !ok {
		p.proof.TurnOff(symbols.ValueSNI, t.Missing[symbols.OnServerName])
	} else if tables := t.Tables(symbols.TLSInspector); tables == nil {
		p.proof.TurnOff(symbols.ValueSNI, "the virtual table of "+symbols.TLSInspector+" is not known")
	} else {
		p.proof.Values = append(p.proof.Values, symbols.Value{Name: symbols.ValueSNI, At: place, Tables: tables, Argument: true})
	}
	if _, ok := t.Functions[symbols.OnFileEvent]; !ok {
		p.proof.TurnOff(probeStatements, symbols.OnFileEvent+": "+t.Missing[symbols.OnFileEvent])
	} else if connections(t) == nil {
		p.proof.TurnOff(probeStatements, "the virtual tables of "+symbols.ServerConnection+" are not known")
	} else {
		p.proof.Gate = true
	}
}

// exchange is what the bench did while it was observed.
type exchange struct {
	clients [2][]netip.AddrPort       // of single requests, by route
	hellos  map[netip.AddrPort]string // server names that were said
	marks   map[netip.AddrPort][]string
	routes  map[netip.AddrPort]int // of the connections under load
}

// The load under which the join is proven.
const (
	proofConnections = 8
	proofRequests    = 25
)

// talk makes single requests on both routes, says two server names, and then requests on many connections at once.
func (p *prover) talk() (*exchange, error) {
	x := &exchange{hellos: map[netip.AddrPort]string{}, marks: map[netip.AddrPort][]string{}, routes: map[netip.AddrPort]int{}}
	for range 3 {
		for i, r := range p.bench.routes {
			client, err := p.bench.once(r.port)
			if err != nil {
				return nil, err
			}
			x.clients[i] = append(x.clients[i], client)
		}
	}
	for i, name := range []string{"a.invalid", "outbound_.8080_._.a-rather-long-name-of-a-service.flowproof.svc.cluster.local"} {
		client, err := p.bench.hello(p.bench.routes[i].port, name)
		if err != nil {
			return nil, err
		}
		x.hellos[client] = name
	}
	if err := p.load(x); err != nil {
		return nil, err
	}
	client, marks, err := p.bench.http2(p.bench.routes[0].port, proofRequests)
	if err != nil {
		return nil, fmt.Errorf("send requests by HTTP/2: %w", err)
	}
	x.marks[client], x.routes[client] = marks, 0
	return x, nil
}

// load sends requests on many connections at once. The connections are made here, in the bench's thread.
func (p *prover) load(x *exchange) error {
	var conns []net.Conn
	for i := range proofConnections {
		conn, err := p.bench.dial(p.bench.routes[i%2].port)
		if err != nil {
			return err
		}
		defer conn.Close()
		if p.bench.routes[i%2].filter == proxyFilter && i > proofConnections/2 {
			if _, err := io.WriteString(conn, proxyLine); err != nil {
				return err
			}
		}
		conns = append(conns, conn)
		x.routes[conn.LocalAddr().(*net.TCPAddr).AddrPort()] = i % 2
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	errs := make([]error, len(conns))
	for i, conn := range conns {
		group.Go(func() {
			reader, client := bufio.NewReader(conn), conn.LocalAddr().(*net.TCPAddr).AddrPort()
			for n := range proofRequests {
				send := p.bench.request
				if (n+i)%3 == 0 {
					send = p.bench.delayed
				}
				mark, err := send(conn, reader)
				if err != nil {
					errs[i] = err
					return
				}
				mu.Lock()
				x.marks[client] = append(x.marks[client], mark)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// check observes with everything that is proposed and turns off what did not tell the truth.
func (p *prover) check() error {
	all, sources := recipes(p.proof, LevelTrace)
	var x *exchange
	r, err := p.observe(all, sources, func() (err error) {
		x, err = p.talk()
		return err
	})
	if err != nil {
		return err
	}
	j := newJournal(r.Events)
	accepted := map[netip.AddrPort]*socket{}
	for _, s := range j.sockets {
		if s.accepted != nil && s.proxy() {
			accepted[s.remote] = s
		}
	}
	for _, name := range []string{symbols.ValueFilterChain, symbols.ValueCluster, symbols.ValueSNI} {
		if wrong := p.checkValue(name, accepted, x); wrong != "" {
			p.drop(name, wrong)
		}
	}
	p.checkJoins(j, accepted, x)
	for _, s := range evidence {
		if !p.proof.Gate {
			break
		}
		if wrong := checkStatement(s.format, accepted, x); wrong != "" {
			p.proof.TurnOff(s.format, wrong)
		} else {
			p.proof.Statements = append(p.proof.Statements, s.format)
		}
	}
	if p.proof.Gate && len(p.proof.Statements) == 0 {
		p.proof.Gate = false
		p.proof.TurnOff(probeStatements, "no statement was seen where it had to be")
	}
	return nil
}

// checkJoins turns off what is wrong of the join: all of it, or what it tells besides the two connections.
func (p *prover) checkJoins(j *journal, accepted map[netip.AddrPort]*socket, x *exchange) {
	join := p.proof.Join
	if join == nil {
		return
	}
	if wrong := p.checkJoin(j, accepted, x); wrong != "" {
		p.proof.Join = nil
		p.proof.TurnOff(probeJoin, wrong)
		return
	}
	if wrong := p.checkClusters(j, accepted, x); join.Cluster != nil && wrong != "" {
		join.Cluster = nil
		p.proof.TurnOff(probeJoinCluster, wrong)
	}
	if wrong := p.checkIDs(j, accepted, x); join.Connection != nil && wrong != "" {
		join.Connection = nil
		p.proof.TurnOff(probeJoinID, wrong)
	}
}
