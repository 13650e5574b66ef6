//go:build linux && amd64

package trace

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/internal/symbols"
)

// A sample is one request whose connections are known: from where the search begins, and what has to be found.
type sample struct {
	arguments               []uint64 // of onPoolReady
	downstream, local, peer string
	cluster, connection     string
}

// An end is one of the things that a join tells.
type end struct {
	name  string
	off   string // the name under which it is off when it is not found; "": without it there is no join
	is    func(m *memory, at uint64, wanted string) bool
	text  func(sample) string
	store func(*symbols.Join, symbols.Way)
}

// joinEnds are all of them: those in a recipe's ways, in their order, and the number.
var joinEnds = []end{
	{"the client's end", "", isText, func(s sample) string { return s.downstream }, func(j *symbols.Join, w symbols.Way) { j.Downstream = w }},
	{"the upstream connection's own end", "", isText, func(s sample) string { return s.local }, func(j *symbols.Join, w symbols.Way) { j.Local = w }},
	{"the upstream connection's other end", "", isText, func(s sample) string { return s.peer }, func(j *symbols.Join, w symbols.Way) { j.Remote = w }},
	{"the cluster", probeJoinCluster, isText, func(s sample) string { return s.cluster }, func(j *symbols.Join, w symbols.Way) { j.Cluster = &w }},
	{"the downstream connection's id", probeJoinID, isNumber, func(s sample) string { return s.connection }, func(j *symbols.Join, w symbols.Way) { j.Connection = &w }},
}

// joinNumber is the one of them that is no string.
const joinNumber = 4

func isText(m *memory, at uint64, wanted string) bool { return m.text(at) == wanted }

func isNumber(m *memory, at uint64, wanted string) bool {
	return strconv.FormatUint(m.word(at), 10) == wanted
}

// joinCandidates is how many ways to each end are tried.
const joinCandidates = 16

// findJoin finds the ways to the ends of a request's two connections, and to its cluster, from the arguments of onPoolReady. Some ways
// that lead there when a request waits for its answer do not yet when it is given its connection; so each is tried.
func (p *prover) findJoin() error {
	t := p.proof.Table
	if missing := joinMissing(t); missing != "" {
		p.proof.TurnOff(probeJoin, missing)
		return nil
	}
	candidates, err := p.searchJoin()
	if err != nil || candidates == nil {
		return err
	}
	right, err := p.tryJoin(candidates)
	if err != nil {
		return err
	}
	join := &symbols.Join{}
	for i, e := range joinEnds {
		switch {
		case right[i] != nil:
			e.store(join, *right[i])
		case e.off == "":
			p.proof.TurnOff(probeJoin, "no way leads from a request to "+e.name)
			return nil
		default:
			p.proof.TurnOff(e.off, "no way leads from a request to "+e.name)
		}
	}
	p.proof.Join = join
	return nil
}

// searchJoin searches the objects of some requests at once, while the upstream keeps their answers back so that they stand still. It
// returns the ways to each end; nil where onPoolReady is not what it should be.
func (p *prover) searchJoin() (all [][]symbols.Way, err error) {
	t := p.proof.Table
	ready := at(t.Functions[symbols.OnPoolReady], envoy.Call, t.Tables(symbols.UpstreamRequest))
	ready.Name = symbols.OnPoolReady
	var held *held
	r, err := p.observe([]envoy.Recipe{ready}, []source{{ready.Name, t}}, func() (err error) {
		held, err = p.bench.hold()
		return err
	})
	if held != nil {
		defer func() { err = errors.Join(err, held.release()) }()
	}
	if err != nil {
		return nil, err
	}
	samples := held.samples(r.Events)
	if samples == nil {
		p.proof.TurnOff(probeJoin, fmt.Sprintf("%s is not called once for each request", symbols.OnPoolReady))
		return nil, nil
	}
	m := memory{pid: p.bench.envoy.Process.Pid}
	defer m.close()
	for _, e := range joinEnds {
		all = append(all, newFinder(&m, samples, e).run(joinCandidates))
	}
	return all, nil
}

// tryJoin goes all candidates' ways where requests are given their connections, and returns for each end the first that was right every
// time; nil where none was.
func (p *prover) tryJoin(candidates [][]symbols.Way) ([]*symbols.Way, error) {
	t := p.proof.Table
	var recipes []envoy.Recipe
	var sources []source
	for n := range joinCandidates {
		r := at(t.Functions[symbols.OnPoolReady], envoy.Ready, t.Tables(symbols.UpstreamRequest))
		r.Name = fmt.Sprintf("%s, way %d", symbols.OnPoolReady, n)
		for i, ways := range candidates {
			var tried envoy.Way // of which there is none any more, what comes does not matter
			if n < len(ways) {
				tried = way(ways[n])
			}
			if i == joinNumber {
				r.Number = &tried
			} else {
				r.Ways = append(r.Ways, tried)
			}
		}
		recipes, sources = append(recipes, r), append(sources, source{r.Name, t})
	}
	var sent *held
	r, err := p.observe(recipes, sources, func() (err error) {
		sent, err = p.bench.hold()
		return err
	})
	if sent != nil {
		err = errors.Join(err, sent.end())
	}
	if err != nil {
		return nil, err
	}
	right := make([]*symbols.Way, len(joinEnds))
	for i, e := range joinEnds {
		for n, way := range candidates[i] {
			if right[i] == nil && sent.told(r.Events, recipes[n].Name, i, e.text) {
				right[i] = &way
			}
		}
	}
	return right, nil
}

// told says whether a recipe told an end rightly of every request.
func (h *held) told(events []Event, recipe string, end int, want func(sample) string) bool {
	n := 0
	for i := range events {
		ready := events[i].ready
		if ready == nil || ready.recipe != recipe {
			continue
		}
		got := strconv.FormatUint(ready.number, 10)
		if end != joinNumber {
			got = ready.names[end]
		}
		if n == len(h.requests) || got != want(h.requests[n]) {
			return false
		}
		n++
	}
	return n == len(h.requests)
}

// joinMissing says what of the join's place is not known.
func joinMissing(t *symbols.Table) string {
	if _, ok := t.Functions[symbols.OnPoolReady]; !ok {
		return symbols.OnPoolReady + ": " + t.Missing[symbols.OnPoolReady]
	}
	if t.Tables(symbols.UpstreamRequest) == nil {
		return "the virtual tables of " + symbols.UpstreamRequest + " are not known"
	}
	return ""
}

// samples puts together what was held and with which arguments onPoolReady was called for it; nil where they do not fit.
// The requests were sent one after the other.
func (h *held) samples(events []Event) []sample {
	var all []sample
	for _, e := range events {
		if e.Kind == ClassCalled && len(all) < len(h.requests) {
			all = append(all, h.requests[len(all)])
			all[len(all)-1].arguments = e.arguments
		} else if e.Kind == ClassCalled {
			return nil
		}
	}
	if len(all) != len(h.requests) {
		return nil
	}
	return all
}
