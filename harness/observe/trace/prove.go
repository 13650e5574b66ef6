//go:build linux && amd64

package trace

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/harness/symbols"
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

// propose adds to the values what needs no finding: the server name, which is an argument, the join, and the gate.
func (p *prover) propose() {
	t := p.proof.Table
	if place, ok := t.Functions[symbols.OnServerName]; !ok {
		p.proof.TurnOff(symbols.ValueSNI, t.Missing[symbols.OnServerName])
	} else if tables := t.Tables(symbols.TLSInspector); tables == nil {
		p.proof.TurnOff(symbols.ValueSNI, "the virtual table of "+symbols.TLSInspector+" is not known")
	} else {
		p.proof.Values = append(p.proof.Values, symbols.Value{Name: symbols.ValueSNI, At: place, Tables: tables, Argument: true})
	}
	names, missing := joinProbes(t)
	if missing != "" {
		p.proof.TurnOff(probeJoin, missing)
	}
	p.proof.Join, p.proof.Gate = names, true
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
	return x, p.load(x)
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
		conns = append(conns, conn)
		x.routes[conn.LocalAddr().(*net.TCPAddr).AddrPort()] = i % 2
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	errs := make([]error, len(conns))
	for i, conn := range conns {
		group.Go(func() {
			reader, client := bufio.NewReader(conn), conn.LocalAddr().(*net.TCPAddr).AddrPort()
			for range proofRequests {
				mark, err := p.bench.request(conn, reader)
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
	all, sources := recipes(p.proof)
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
	if wrong := p.checkJoin(j, accepted, x); wrong != "" && p.proof.Join != nil {
		p.proof.Join = nil
		p.proof.TurnOff(probeJoin, wrong)
	}
	if wrong := p.checkClusters(j, accepted, x); wrong != "" {
		p.drop(valueCluster, wrong)
	}
	for _, s := range evidence {
		if wrong := checkStatement(s.format, accepted, x); wrong != "" {
			p.proof.TurnOff(s.format, wrong)
		} else {
			p.proof.Statements = append(p.proof.Statements, s.format)
		}
	}
	if len(p.proof.Statements) == 0 {
		p.proof.Gate = false
		p.proof.TurnOff(probeGate, "no statement was seen where it had to be")
	}
	return nil
}

// checkValue says what was read wrongly: each connection has to have exactly the values that it must.
func (p *prover) checkValue(name string, accepted map[netip.AddrPort]*socket, x *exchange) string {
	if !slices.ContainsFunc(p.proof.Values, func(v symbols.Value) bool { return v.Name == name }) {
		return p.proof.Off[name]
	}
	want := map[netip.AddrPort]string{}
	for i, r := range p.bench.routes {
		for _, client := range x.clients[i] {
			want[client] = map[string]string{symbols.ValueFilterChain: r.chain, symbols.ValueCluster: r.cluster}[name]
		}
	}
	if name == symbols.ValueSNI {
		want = x.hellos
	}
	for client, value := range want {
		s := accepted[client]
		if s == nil {
			return fmt.Sprintf("the connection of %s was not seen", client)
		}
		var got []string
		for _, e := range s.values {
			if e.Name == name {
				got = append(got, e.Text)
			}
		}
		if len(got) != 1 || got[0] != value {
			return fmt.Sprintf("read %q where %q was right", got, value)
		}
	}
	return ""
}

// checkJoin sets every join under load against what the upstream saw.
func (p *prover) checkJoin(j *journal, accepted map[netip.AddrPort]*socket, x *exchange) string {
	p.bench.mu.Lock()
	defer p.bench.mu.Unlock()
	for client, marks := range x.marks {
		var got []netip.AddrPort
		for _, join := range j.joins {
			if join.down == accepted[client] && accepted[client] != nil {
				got = append(got, join.up.local)
			}
		}
		var want []netip.AddrPort
		for _, mark := range marks {
			want = append(want, p.bench.seen[mark])
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("of %d requests on one connection, %d were joined, and not all as the upstream saw them", len(want), len(got))
		}
	}
	if j.clashes > 0 {
		return fmt.Sprintf("%d connections could not be told apart", j.clashes)
	}
	return ""
}

// drop turns a value off, and says why.
func (p *prover) drop(name, wrong string) {
	p.proof.Values = slices.DeleteFunc(p.proof.Values, func(v symbols.Value) bool { return v.Name == name })
	p.proof.TurnOff(name, wrong)
}

// checkClusters says whether a request that was joined under load has another cluster than that of its connection's route:
// the value has to be told before the upstream request begins, or it would be taken for the next one's.
func (p *prover) checkClusters(j *journal, accepted map[netip.AddrPort]*socket, x *exchange) string {
	if p.proof.Join == nil || !slices.ContainsFunc(p.proof.Values, func(v symbols.Value) bool { return v.Name == valueCluster }) {
		return ""
	}
	for client := range x.marks {
		for _, join := range j.joins {
			if join.down != accepted[client] {
				continue
			}
			want := p.bench.routes[x.routes[client]].cluster
			if join.cluster == nil || join.cluster.Text != want {
				return fmt.Sprintf("a request to %q was not told with it", want)
			}
		}
	}
	return ""
}

// checkStatement says whether a statement was seen on each connection once: every single request has a connection and every
// connection one request. Statements about the same thing that were taken for one another would be seen never or twice.
func checkStatement(format string, accepted map[netip.AddrPort]*socket, x *exchange) string {
	for _, client := range slices.Concat(x.clients[:]...) {
		s, n := accepted[client], 0
		if s == nil {
			return fmt.Sprintf("the connection of %s was not seen", client)
		}
		for _, e := range s.statements {
			if e.Text == format {
				n++
			}
		}
		if n != 1 {
			return fmt.Sprintf("it was seen %d times about one request", n)
		}
	}
	return ""
}
