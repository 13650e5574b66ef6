//go:build linux && amd64

package prove

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/testbed"
)

// A sample is one request whose connections are known: from where the search begins, and
// what has to be found.
type sample struct {
	testbed.HeldRequest
	arguments []uint64 // of onPoolReady
}

// An end is one of the things that a join tells.
type end struct {
	name  string
	off   string // the name under which it is off when it is not found; "": without it there is no join
	is    func(m *memory, at uint64, wanted string) bool
	text  func(testbed.HeldRequest) string
	store func(*envoybinary.Join, envoybinary.Way)
}

// joinEnds are all of them: those in a recipe's ways, in their order, and the number.
var joinEnds = []end{
	{"the client's end", "", isText, func(s testbed.HeldRequest) string {
		return s.Downstream
	}, func(j *envoybinary.Join, w envoybinary.Way) { j.Downstream = w }},
	{"the upstream connection's own end", "", isText, func(s testbed.HeldRequest) string { return s.Local },
		func(j *envoybinary.Join, w envoybinary.Way) { j.Local = w }},
	{"the upstream connection's other end", "", isText, func(s testbed.HeldRequest) string { return s.Peer },
		func(j *envoybinary.Join, w envoybinary.Way) { j.Remote = w }},
	{"the cluster", envoy.ProbeJoinCluster, isText, func(s testbed.HeldRequest) string { return s.Cluster },
		func(j *envoybinary.Join, w envoybinary.Way) { j.Cluster = &w }},
	{"the downstream connection's id", envoy.ProbeJoinID, isNumber, func(s testbed.HeldRequest) string {
		return s.Connection
	}, func(j *envoybinary.Join, w envoybinary.Way) { j.Connection = &w }},
}

// joinNumber is the one of them that is no string.
const joinNumber = 4

func isText(m *memory, at uint64, wanted string) bool { return m.text(at) == wanted }

func isNumber(m *memory, at uint64, wanted string) bool {
	return strconv.FormatUint(m.word(at), 10) == wanted
}

// joinCandidates is how many ways to each end are tried.
const joinCandidates = 16

// findJoin finds the ways to the ends of a request's two connections, and to its cluster, from the
// arguments of onPoolReady. Some ways that lead there when a request waits for its answer do not
// yet when it is given its connection; so each is tried.
func (p *prover) findJoin() error {
	t := p.proof.Table
	if missing := joinMissing(t); missing != "" {
		p.proof.TurnOff(envoy.ProbeJoin, missing)
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
	join := &envoybinary.Join{}
	for i, e := range joinEnds {
		switch {
		case right[i] != nil:
			e.store(join, *right[i])
		case e.off == "":
			p.proof.TurnOff(envoy.ProbeJoin, "no way leads from a request to "+e.name)
			return nil
		default:
			p.proof.TurnOff(e.off, "no way leads from a request to "+e.name)
		}
	}
	p.proof.Join = join
	return nil
}

// searchJoin searches the objects of some requests at once, while the upstream keeps their answers
// back so that they stand still. It returns the ways to each end; nil where onPoolReady is not what
// it should be.
func (p *prover) searchJoin() (all [][]envoybinary.Way, err error) {
	t := p.proof.Table
	ready := envoybinary.RecipeAt(t.Functions[envoybinary.OnPoolReady], envoy.Call,
		t.Tables(envoybinary.UpstreamRequest))
	ready.Name = envoybinary.OnPoolReady
	var held *testbed.Held
	seen, err := p.observe([]envoy.Recipe{ready}, []envoybinary.Source{{Name: ready.Name, Table: t}},
		func() (err error) {
			held, err = p.bed.Hold()
			return err
		})
	if held != nil {
		defer func() { err = errors.Join(err, held.Release()) }()
	}
	if err != nil {
		return nil, err
	}
	samples := samplesOf(held.Requests, seen.Calls)
	if samples == nil {
		p.proof.TurnOff(envoy.ProbeJoin, fmt.Sprintf("%s is not called once for each request", envoybinary.OnPoolReady))
		return nil, nil
	}
	m := memory{pid: p.bed.PID()}
	defer m.close()
	for _, e := range joinEnds {
		all = append(all, newFinder(&m, samples, e).run(joinCandidates))
	}
	return all, nil
}

// tryJoin goes all candidates' ways where requests are given their connections, and returns for
// each end the first that was right every time; nil where none was.
func (p *prover) tryJoin(candidates [][]envoybinary.Way) ([]*envoybinary.Way, error) {
	t := p.proof.Table
	var recipes []envoy.Recipe
	var sources []envoybinary.Source
	for n := range joinCandidates {
		r := envoybinary.RecipeAt(t.Functions[envoybinary.OnPoolReady], envoy.Ready,
			t.Tables(envoybinary.UpstreamRequest))
		r.Name = fmt.Sprintf("%s, way %d", envoybinary.OnPoolReady, n)
		for i, ways := range candidates {
			var tried envoy.Way // of which there is none any more, what comes does not matter
			if n < len(ways) {
				tried = ways[n].Recipe()
			}
			if i == joinNumber {
				r.Number = &tried
			} else {
				r.Ways = append(r.Ways, tried)
			}
		}
		recipes, sources = append(recipes, r), append(sources, envoybinary.Source{Name: r.Name, Table: t})
	}
	var sent *testbed.Held
	seen, err := p.observe(recipes, sources, func() (err error) {
		sent, err = p.bed.Hold()
		return err
	})
	if sent != nil {
		err = errors.Join(err, sent.End())
	}
	if err != nil {
		return nil, err
	}
	right := make([]*envoybinary.Way, len(joinEnds))
	for i, e := range joinEnds {
		for n, way := range candidates[i] {
			if right[i] == nil && told(sent.Requests, seen.Ready, recipes[n].Name, i, e.text) {
				right[i] = &way
			}
		}
	}
	return right, nil
}

// told says whether a recipe told an end rightly of every request.
func told(requests []testbed.HeldRequest, all []Ready, recipe string, end int,
	want func(testbed.HeldRequest) string) bool {
	n := 0
	for _, ready := range all {
		if ready.Recipe != recipe {
			continue
		}
		got := strconv.FormatUint(ready.Number, 10)
		if end != joinNumber {
			got = ready.Names[end]
		}
		if n == len(requests) || got != want(requests[n]) {
			return false
		}
		n++
	}
	return n == len(requests)
}

// joinMissing says what of the join's place is not known.
func joinMissing(t *envoybinary.Table) string {
	if _, ok := t.Functions[envoybinary.OnPoolReady]; !ok {
		return envoybinary.OnPoolReady + ": " + t.Missing[envoybinary.OnPoolReady]
	}
	if t.Tables(envoybinary.UpstreamRequest) == nil {
		return "the virtual tables of " + envoybinary.UpstreamRequest + " are not known"
	}
	return ""
}

// samplesOf puts together what was held and with which arguments onPoolReady was called for it; nil
// where they do not fit. The requests were sent one after the other.
func samplesOf(requests []testbed.HeldRequest, calls []Call) []sample {
	if len(calls) != len(requests) {
		return nil
	}
	var all []sample
	for i, c := range calls {
		all = append(all, sample{requests[i], c.Arguments})
	}
	return all
}
