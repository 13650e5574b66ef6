//go:build linux && amd64

// Package prove tries on a real Envoy what was recovered from its binary, and keeps only what told
// the truth. It runs the binary on a testbed, looks for the objects' members in the process's
// memory, and has the probes watched by its caller.
package prove

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
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/testbed"
)

// Options say by what is proven.
type Options struct {
	Watch Watch
	// Statements are the formats of the log statements that have to be seen exactly once for each
	// connection with one request.
	Statements []string
}

// Prove runs the binary at path in a network namespace of its own, sends requests through it, and
// keeps of the table only the probes that told the truth about every one of them. Names that are
// random, one short and one long, are looked for in the objects, and have to be read from there
// again; requests on many connections at once have to be joined as the upstream saw them. A probe
// that fails is off in the Proof, with the reason. The error is for a binary that cannot be run.
func Prove(ctx context.Context, path string, table *envoybinary.Table, o Options) (*envoybinary.Proof, error) {
	type result struct {
		proof *envoybinary.Proof
		err   error
	}
	done := make(chan result, 1)
	go func() { // its thread is not used for anything else afterwards
		proof, err := prove(ctx, path, table, o)
		done <- result{proof, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("prove symbols of build %s: %w", table.BuildID, r.err)
	}
	return r.proof, nil
}

func prove(ctx context.Context, path string, table *envoybinary.Table,
	o Options) (proof *envoybinary.Proof, err error) {
	b, err := testbed.New(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	p := &prover{
		Options: o, bed: b, proof: &envoybinary.Proof{Schema: envoybinary.ProofSchema, BuildID: table.BuildID,
			Table: table},
	}
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
	Options
	bed   *testbed.Testbed
	proof *envoybinary.Proof
}

// observe watches Envoy with recipes while do sends requests.
func (p *prover) observe(recipes []envoy.Recipe, sources []envoybinary.Source, do func() error) (*Seen, error) {
	return p.Watch(p.bed.PID(), recipes, sources, do)
}

// propose adds to what was found what needs no finding: the server name, which is an argument,
// and the statements.
func (p *prover) propose() {
	t := p.proof.Table
	if place, ok := t.Functions[envoybinary.OnServerName]; !ok {
		p.proof.TurnOff(envoy.ProbeSNI, t.Missing[envoybinary.OnServerName])
	} else if tables := t.Tables(envoybinary.TLSInspector); tables == nil {
		p.proof.TurnOff(envoy.ProbeSNI, "the virtual table of "+envoybinary.TLSInspector+" is not known")
	} else {
		p.proof.Values = append(p.proof.Values, envoybinary.Value{Name: envoy.ProbeSNI, At: place, Tables: tables,
			Argument: true})
	}
	if _, ok := t.Functions[envoybinary.OnFileEvent]; !ok {
		p.proof.TurnOff(envoy.ProbeStatements, envoybinary.OnFileEvent+": "+t.Missing[envoybinary.OnFileEvent])
	} else if t.Connections() == nil {
		p.proof.TurnOff(envoy.ProbeStatements, "the virtual tables of "+envoybinary.ServerConnection+" are not known")
	} else {
		p.proof.Gate = true
	}
}

// exchange is what the testbed did while it was observed.
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

// talk makes single requests on both routes by each kind of route entry, says two server names, and
// then requests on many connections at once.
func (p *prover) talk() (*exchange, error) {
	x := &exchange{hellos: map[netip.AddrPort]string{}, marks: map[netip.AddrPort][]string{},
		routes: map[netip.AddrPort]int{}}
	for _, e := range testbed.Entries {
		for i, r := range p.bed.Routes {
			client, err := p.bed.Once(r.Port, r.By(e)...)
			if err != nil {
				return nil, err
			}
			x.clients[i] = append(x.clients[i], client)
		}
	}
	for i, name := range []string{"a.invalid",
		"outbound_.8080_._.a-rather-long-name-of-a-service.flowproof.svc.cluster.local"} {
		client, err := p.bed.Hello(p.bed.Routes[i].Port, name)
		if err != nil {
			return nil, err
		}
		x.hellos[client] = name
	}
	if err := p.load(x); err != nil {
		return nil, err
	}
	client, marks, err := p.bed.HTTP2(p.bed.Routes[0], proofRequests)
	if err != nil {
		return nil, fmt.Errorf("send requests by HTTP/2: %w", err)
	}
	x.marks[client], x.routes[client] = marks, 0
	return x, nil
}

// load sends requests on many connections at once. The connections are made here, in
// the testbed's thread.
func (p *prover) load(x *exchange) error {
	var conns []net.Conn
	for i := range proofConnections {
		conn, err := p.bed.Dial(p.bed.Routes[i%2].Port)
		if err != nil {
			return err
		}
		defer conn.Close()
		if p.bed.Routes[i%2].Claims && i > proofConnections/2 {
			if _, err := io.WriteString(conn, testbed.Claim); err != nil {
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
				send := p.bed.Request
				if (n+i)%3 == 0 {
					send = p.bed.Delayed
				}
				mark, err := send(conn, reader, p.bed.Routes[i%2].By(testbed.Entries[n%len(testbed.Entries)])...)
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
	all, sources := p.proof.Recipes(nil)
	var x *exchange
	seen, err := p.observe(all, sources, func() (err error) {
		x, err = p.talk()
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range []string{envoy.ProbeFilterChain, envoy.ProbeCluster, envoy.ProbeSNI} {
		if wrong := p.checkValue(name, seen, x); wrong != "" {
			p.drop(name, wrong)
		}
	}
	p.checkJoins(seen, x)
	for _, format := range p.Statements {
		if !p.proof.Gate {
			break
		}
		if wrong := checkStatement(format, seen, x); wrong != "" {
			p.proof.TurnOff(format, wrong)
		} else {
			p.proof.Statements = append(p.proof.Statements, format)
		}
	}
	if p.proof.Gate && len(p.proof.Statements) == 0 {
		p.proof.Gate = false
		p.proof.TurnOff(envoy.ProbeStatements, "no statement was seen where it had to be")
	}
	return nil
}

// checkJoins turns off what is wrong of the join: all of it, or what it tells besides
// the two connections.
func (p *prover) checkJoins(seen *Seen, x *exchange) {
	join := p.proof.Join
	if join == nil {
		return
	}
	if wrong := p.checkJoin(seen, x); wrong != "" {
		p.proof.Join = nil
		p.proof.TurnOff(envoy.ProbeJoin, wrong)
		return
	}
	if wrong := p.checkClusters(seen, x); join.Cluster != nil && wrong != "" {
		join.Cluster = nil
		p.proof.TurnOff(envoy.ProbeJoinCluster, wrong)
	}
	if wrong := p.checkIDs(seen, x); join.Connection != nil && wrong != "" {
		join.Connection = nil
		p.proof.TurnOff(envoy.ProbeJoinID, wrong)
	}
}
