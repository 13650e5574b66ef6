package verify

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// tried are the attempts of all proxies as the instruments told of them, and where what they told
// does not agree, or one of them is missing.
type tried struct {
	attempts []flow.Attempt
	problems []string
}

// ofAttempt are the facts that an observation of an attempt may hold beside its number.
var ofAttempt = []string{flow.FactAttemptEndpoint, flow.FactAttemptStatus, flow.FactAttemptFailure,
	flow.FactAttemptAfter, flow.FactAttemptConnects}

// attemptsOf joins what was told of attempts: by the proxy that made them, by its count, and by the
// proxies where they arrived. The run's observations are redacted.
func attemptsOf(run flow.Run) tried {
	t := &tried{}
	t.formed(run.Observations)
	t.made(run.Observations)
	t.arrived(clientPod(run), run.Observations)
	t.counted(run, run.Observations)
	t.possible(run.Path)
	slices.SortStableFunc(t.attempts, func(a, b flow.Attempt) int {
		return cmp.Or(rankOf(run, a.Proxy)-rankOf(run, b.Proxy), strings.Compare(a.Proxy, b.Proxy), a.Number-b.Number)
	})
	return *t
}

// rankOf puts the client's proxy first.
func rankOf(run flow.Run, proxy string) int {
	if proxy == clientPod(run) {
		return 0
	}
	return 1
}

// values are the facts of an observation by their names.
func values(o flow.Observation) map[string]string {
	all := map[string]string{}
	for _, f := range o.Facts {
		all[f.Name] = f.Value
	}
	return all
}

func (t *tried) problem(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(t.problems, text) {
		t.problems = append(t.problems, text)
	}
}

// attempt is one of a proxy's; it is added where it is not known.
func (t *tried) attempt(proxy string, number int) *flow.Attempt {
	i := slices.IndexFunc(t.attempts, func(a flow.Attempt) bool { return a.Proxy == proxy && a.Number == number })
	if i < 0 {
		i = len(t.attempts)
		t.attempts = append(t.attempts, flow.Attempt{Proxy: proxy, Number: number})
	}
	return &t.attempts[i]
}

// formed says of facts about attempts that they are none: what is written down of a status, an
// endpoint and a connection has a form.
func (t *tried) formed(observations []flow.Observation) {
	for _, o := range observations {
		for _, f := range o.Facts {
			ok := true
			switch f.Name {
			case flow.FactAttemptStatus:
				ok = isStatus(f.Value)
			case flow.FactAttemptEndpoint:
				ok = isEndpoint(f.Value)
			case flow.FactAttemptConnects:
				ok = f.Value == flow.NewConnection || f.Value == flow.ReusedConnection
			}
			if !ok {
				t.problem("%s saw %s %q, which is none", o.Instrument, f.Name, f.Value)
			}
		}
	}
}

// isStatus says whether a text is an HTTP status, or 0 for none.
func isStatus(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && (n == 0 || n >= 100 && n < 600)
}

// isEndpoint says whether a text is an address with a port, or names an endpoint inside the proxy.
func isEndpoint(text string) bool {
	_, err := netip.ParseAddrPort(text)
	return err == nil || strings.HasPrefix(text, "envoy://") || strings.HasPrefix(text, "/")
}

// possible holds the endpoints of the attempts against those that were inferred, and says which
// attempts are not told whole: one that was answered went over a connection, and of a proxy's last
// one its log has the answer.
func (t *tried) possible(path flow.Path) {
	last := map[string]int{}
	for _, a := range t.attempts {
		last[a.Proxy] = max(last[a.Proxy], a.Number)
	}
	for _, a := range t.attempts {
		known, may := mayGoTo(path, a)
		switch {
		case a.Failure == "" && a.Connection == "",
			a.Failure == "" && a.Status == 0 && a.Number == last[a.Proxy]:
			t.problem("attempt %d of %s was not seen whole", a.Number, a.Proxy)
		case a.Endpoint == "" && a.Connection != flow.ReusedConnection:
			t.problem("attempt %d of %s was not seen to go anywhere", a.Number, a.Proxy)
		case a.Endpoint != "" && known && !may:
			t.problem("attempt %d of %s went to %s, which is none of the endpoints that were inferred", a.Number,
				a.Proxy, a.Endpoint)
		}
	}
}

// mayGoTo says whether the path, or one of its variants, leads an attempt's proxy to its endpoint;
// known is false where it names none at all.
func mayGoTo(path flow.Path, a flow.Attempt) (known, may bool) {
	ways := [][]flow.Hop{path.Hops}
	for _, v := range path.Variants {
		ways = append(ways, v.Hops)
	}
	for _, hop := range slices.Concat(ways...) {
		if hop.Proxy != a.Proxy || hop.Kind.Info().End != flow.UpstreamEnd {
			continue
		}
		for _, c := range hop.Choices {
			known, may = true, may || c.Name == a.Endpoint
		}
		for _, f := range hop.Expect {
			if f.Name == flow.FactEndpoint || f.Name == flow.FactUpstreamRemote {
				known, may = true, may || matches(f.Value, a.Endpoint)
			}
		}
	}
	return known, may
}

// made takes what a proxy's own log tells of the attempts that it made.
func (t *tried) made(observations []flow.Observation) {
	for _, o := range observations {
		facts := values(o)
		number, told := facts[flow.FactAttempt]
		arrival, arrived := facts[flow.FactArrival]
		if !told && !arrived {
			for _, fact := range ofAttempt {
				if facts[fact] != "" {
					t.problem("%s saw %s %s of no attempt", o.Instrument, fact, facts[fact])
				}
			}
			continue
		}
		n, err := strconv.Atoi(number)
		k, wrong := strconv.Atoi(arrival)
		if told && (err != nil || n < 1) || arrived && (wrong != nil || k < 1) {
			t.problem("%s saw an attempt without a number: %s", o.Instrument, cmp.Or(number, arrival))
			continue
		}
		if arrived {
			continue
		}
		a := t.attempt(o.Where.Pod, n)
		if a.SeenBy = append(a.SeenBy, o.Instrument); len(a.SeenBy) > 1 {
			t.problem("%s saw attempt %d of %s twice", o.Instrument, n, o.Where.Pod)
			continue
		}
		a.Endpoint, a.Failure, a.After = facts[flow.FactAttemptEndpoint], facts[flow.FactAttemptFailure],
			facts[flow.FactAttemptAfter]
		a.Connection = facts[flow.FactAttemptConnects]
		a.Status, _ = strconv.Atoi(facts[flow.FactAttemptStatus])
		t.handedOn(observations, o, *a)
	}
}

// handedOn holds the status that a proxy's own log tells of an attempt, which it does of the last
// one, against the one that the proxy answered with.
func (t *tried) handedOn(observations []flow.Observation, told flow.Observation, a flow.Attempt) {
	for _, o := range observations {
		text := values(o)[flow.FactStatus]
		if a.Status == 0 || text == "" || o.Side != told.Side || o.Where.Pod != told.Where.Pod {
			continue
		}
		if text != strconv.Itoa(a.Status) {
			t.problem("attempt %d of %s was answered with %d, and %s saw the proxy answer with %s", a.Number, a.Proxy,
				a.Status, o.Instrument, text)
		}
	}
}

// arrived takes what the proxies tell where the client's attempts arrived: each instrument of a pod
// has to tell of as many, with the same answers.
func (t *tried) arrived(client string, observations []flow.Observation) {
	numbers := map[string][]int{} // of a pod's arrivals, as its debug log has them
	answers := map[string]map[flow.Instrument][]string{}
	for _, o := range observations {
		facts := values(o)
		k, err := strconv.Atoi(facts[flow.FactArrival])
		if err != nil || o.Side != flow.Server {
			if facts[flow.FactArrival] != "" {
				t.problem("%s saw an attempt arrive at the client", o.Instrument)
			}
			continue
		}
		pod := o.Where.Pod
		if answers[pod] == nil {
			answers[pod] = map[flow.Instrument][]string{}
		}
		answers[pod][o.Instrument] = append(answers[pod][o.Instrument], facts[flow.FactAttemptStatus])
		if k != len(answers[pod][o.Instrument]) {
			t.problem("%s of %s saw arrival %d out of its order", o.Instrument, pod, k)
		}
		if n, err := strconv.Atoi(facts[flow.FactAttempt]); err == nil {
			numbers[pod] = append(numbers[pod], n)
		}
	}
	for _, pod := range slices.Sorted(maps.Keys(answers)) {
		for _, instrument := range slices.Sorted(maps.Keys(answers[pod])) {
			t.told(client, pod, instrument, numbers[pod], answers[pod][instrument])
		}
	}
	slices.Sort(t.problems)
}

// told takes what one instrument of a pod tells of the attempts that arrived there: their statuses,
// in the order of their numbers.
func (t *tried) told(client, pod string, instrument flow.Instrument, numbers []int, statuses []string) {
	if len(numbers) > 0 && len(numbers) != len(statuses) {
		t.problem("%d attempts arrived at %s, and %s saw %d of them", len(numbers), pod, instrument, len(statuses))
		return
	}
	for i, status := range statuses {
		var a *flow.Attempt
		if i < len(numbers) {
			if a = t.arrivedAs(client, pod, numbers[i]); a == nil {
				t.problem("attempt %d arrived, and the proxy that made it tells of none", numbers[i])
				continue
			}
			t.answered(a, instrument, status)
		}
		if status == "" && (a == nil || a.Failure == "") { // one that failed may have been given up before
			t.problem("%s of %s saw an attempt arrive, and not what it was answered with", instrument, pod)
		}
	}
}

// arrivedAs is the attempt that arrived at a pod with a number: of the client's proxy, or, where a
// client outside of the mesh has none, of another one before the pod.
func (t *tried) arrivedAs(client, pod string, number int) *flow.Attempt {
	for _, by := range []func(proxy string) bool{
		func(proxy string) bool { return proxy == client }, func(proxy string) bool { return proxy != pod },
	} {
		i := slices.IndexFunc(t.attempts, func(a flow.Attempt) bool { return a.Number == number && by(a.Proxy) })
		if i >= 0 {
			return &t.attempts[i]
		}
	}
	return nil
}

// answered takes the status that an attempt was answered with, where it arrived.
func (t *tried) answered(a *flow.Attempt, instrument flow.Instrument, text string) {
	if status, err := strconv.Atoi(text); err == nil && a.Failure == "" {
		if a.Status != 0 && a.Status != status {
			t.problem("attempt %d was answered with %d, and %s saw %d where it arrived", a.Number, a.Status,
				instrument, status)
		} else {
			a.Status = status
		}
	}
	if !slices.Contains(a.SeenBy, instrument) {
		a.SeenBy = append(a.SeenBy, instrument)
	}
}

// counted holds the attempts that were told one by one against how many the proxy counted.
func (t *tried) counted(run flow.Run, observations []flow.Observation) {
	counts := map[string]int{}
	for _, o := range observations {
		n, err := strconv.Atoi(values(o)[flow.FactAttempts])
		if err != nil {
			continue
		}
		if before, known := counts[o.Where.Pod]; known && before != n {
			t.problem("%s made %d attempts, and %d", o.Where.Pod, before, n)
		}
		counts[o.Where.Pod] = n
	}
	told := map[string][]int{}
	for _, a := range t.attempts {
		told[a.Proxy] = append(told[a.Proxy], a.Number)
	}
	for pod := range counts {
		if told[pod] == nil {
			told[pod] = []int{} // counted, and told of by none
		}
	}
	for _, pod := range slices.Sorted(maps.Keys(told)) {
		slices.Sort(told[pod])
		n, count, known := len(told[pod]), 0, false
		if count, known = counts[pod]; !known {
			count = n
		}
		switch {
		case n > 0 && (told[pod][n-1] != n || n != count):
			t.problem("%s made %d attempts, and was seen to make %v", pod, count, told[pod])
		case n == 0 && count > 1 && watchedWhole(run, flow.EnvoyLog, pod):
			t.problem("%s made %d attempts, and the log of it, which would have shown them, shows none", pod, count)
		}
	}
	t.missing(run)
}

// missing says of attempts that an endpoint answered, at a pod whose log shows arrivals, that they
// are not among them.
func (t *tried) missing(run flow.Run) {
	arrives := slices.ContainsFunc(run.Observations, func(o flow.Observation) bool {
		return values(o)[flow.FactArrival] != ""
	})
	for _, a := range t.attempts {
		if arrives && a.Proxy == clientPod(run) && a.Failure == "" && a.Status == 0 {
			t.problem("attempt %d was answered, and was not seen to arrive anywhere", a.Number)
		}
	}
}

// watchedWhole says whether an instrument saw all that it can see of a request at a pod.
func watchedWhole(run flow.Run, instrument flow.Instrument, pod string) bool {
	return slices.ContainsFunc(run.Watches, func(w flow.Watch) bool {
		return w.Instrument == instrument && w.Pod == pod && whole(w) && w.Abstains == ""
	})
}
