package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/schema"
)

// A tally counts what the richer differential run came to.
type tally struct {
	requests, rounds, explained, open, needless int
	byCode                                      map[string]int
	version                                     string        // of Envoy
	engine                                      *infer.Engine // of the round
}

// TestRandomRich sends random requests through random configurations in which the request changes
// on its way. Every answer that is certain has to be Envoy's; of one that is not, what Envoy does
// has to be among what is possible, with each value that the open thing may have. An answer that is
// the same with all values was open without need, and few may be.
func TestRandomRich(t *testing.T) {
	envoyOrSkip(t)
	alone(t)
	const perRound = 600
	dns := newNameServer(t)
	total := &tally{byCode: map[string]int{}}
	for round, left := uint64(0), *randomRequests; left > 0; round, left = round+1, left-perRound {
		t.Run(fmt.Sprintf("round_%d", round), func(t *testing.T) {
			richRound(t, total, dns, round, min(left, perRound))
		})
	}
	figures(t, total)
	t.Logf("%d requests, %d of them explained %v, %d open, %d of those without need", total.requests, total.explained,
		total.byCode, total.open, total.needless)
	if total.explained > 5+total.requests/1000 { // five more, or chance would fail a short run now and then
		t.Errorf("%d of %d answers are explained: at most one in a thousand may be", total.explained, total.requests)
	}
	if total.needless*50 > total.requests {
		t.Errorf("%d of %d answers are open without need: at most 2 of 100 may be", total.needless, total.requests)
	}
}

// alone waits until no other run on this machine has the addresses of the rich world.
func alone(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "flowproof-rich-world.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := platform.LockWait(file, platform.Exclusive); err != nil {
		t.Fatal(err)
	}
}

// richDump draws the configuration of a round in one of its variants.
func richDump(t *testing.T, dns *nameServer, round uint64, variant int) (*configdump.Dump, []int) {
	g := &rich{generator: &generator{rand.New(rand.NewPCG(*randomSeed, 1000+round))}, variant: variant, dns: dns.port}
	c, ports := g.richConfig()
	return c.dump(t), ports
}

func richRound(t *testing.T, total *tally, dns *nameServer, round uint64, n int) {
	d, ports := richDump(t, dns, round, 0)
	g := &rich{generator: &generator{rand.New(rand.NewPCG(*randomSeed, 5000+round))}}
	engine := infer.New(d)
	total.engine = engine
	var requests []flow.Request
	var decisions []flow.Decision
	for i := range n {
		req := g.richRequest(ports)
		decision, err := engine.Decide(asSent(req))
		if err != nil {
			t.Fatalf("%+v: %v", req, err)
		}
		if i%10 == 0 { // each takes as long as its inference
			text, _ := json.Marshal(decision)
			schema.Check(t, "../../..", text)
		}
		requests, decisions = append(requests, req), append(decisions, decision)
	}
	total.requests += n
	total.rounds++
	results := total.ask(t, dns, round, 0, requests)
	var open []int
	for i := range requests {
		total.compare(t, requests[i], decisions[i], results[i], 0)
		if decisions[i].Certainty == flow.Depends {
			open = append(open, i)
		}
	}
	total.open += len(open)
	total.try(t, dns, round, open, requests, decisions, results)
}

// try asks for what was open once more with the other values of the open things.
func (total *tally) try(t *testing.T, dns *nameServer, round uint64, open []int, requests []flow.Request,
	decisions []flow.Decision, results []Result) {
	var asked []flow.Request
	moved := make([]bool, len(open))
	for _, i := range open {
		asked = append(asked, requests[i])
	}
	for variant := 1; variant < variants && len(open) > 0; variant++ {
		for k, r := range total.ask(t, dns, round, variant, append(asked, asked...)) {
			// twice, for what counts requests
			k %= len(open)
			i := open[k]
			total.compare(t, requests[i], decisions[i], r, variant)
			moved[k] = moved[k] || happened(r) != happened(results[i])
		}
	}
	for k, i := range open {
		if !moved[k] {
			total.needless++
			if testing.Verbose() {
				t.Logf("open without need: %s\n  %v\n  %s", asText(requests[i]), decisions[i].Depends,
					happened(results[i]))
			}
		}
	}
}

// compare fails for an answer that Envoy contradicts, unless a known cause explains it.
func (total *tally) compare(t *testing.T, req flow.Request, d flow.Decision, r Result, variant int) {
	all := Contradicts(asSent(req), d, r)
	if len(all) == 0 {
		return
	}
	if code := explain(total.engine, asSent(req), d, r); code != "" {
		total.explained++
		total.byCode[code]++
		return
	}
	t.Errorf("variant %d: %s\n  %s: %v\n  depends %v possible %v others %v\n  Envoy logged %+v %+v %s", variant,
		asText(req), d.Certainty, all, d.Depends, d.Possible, d.Others, r.Entries, r.Seen, r.Problem)
}

func asText(req flow.Request) string {
	text, _ := json.Marshal(req)
	return string(text)
}

// asSent is the request with the headers that the client adds by itself.
func asSent(req flow.Request) flow.Request {
	if req.Protocol == "http" || req.Protocol == "" {
		req.Headers = req.Headers.Clone()
		if len(req.Headers["connection"]) == 0 {
			req.Headers.Add("connection", "close")
		}
	}
	return req
}

// ask runs an Envoy with the configuration of a round in one variant and asks it.
func (total *tally) ask(t *testing.T, dns *nameServer, round uint64, variant int, requests []flow.Request) []Result {
	t.Helper()
	dns.variant.Store(int32(variant))
	d, _ := richDump(t, dns, round, variant)
	e, err := Start(context.Background(), envoyOrSkip(t), t.TempDir(), d, Options{KeepEndpoints: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	total.version = version(t, e)
	results, err := e.Ask(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// happened is what a client and an upstream can see of a result.
func happened(r Result) string {
	entry := lastEntry(r)
	seen := Seen{}
	if r.Seen != nil {
		seen = *r.Seen
	}
	return strings.Join([]string{fmt.Sprint(r.Status), r.Location, entry.Cluster, entry.Route, entry.Chain, seen.Local,
		seen.Path, seen.Host, entry.Details}, " ")
}
