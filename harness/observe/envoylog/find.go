package envoylog

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// A finding is what a log has of one request.
type finding struct {
	own      []*exchange // that may be the request on its way through the proxy; one: it is
	arrivals []*exchange // all attempts of it that arrived, in their order, where there are several
	next     []*exchange // what the application called on with the request's id, as it left
	came     []*exchange // and as it came here from another application
}

// How many streams are followed: of those that have the request's id, which attempts and what
// applications call on have too, and of those that only have its URL.
const (
	mostOfID  = 256
	mostOfURL = 16
)

// find returns the exchanges whose request carries the id. Where none does, because a route
// replaced the id, they are those of the whole log with the authority and path: of more than one,
// none can be told from other traffic.
//
// Several streams can have the id: attempts, which the proxy before makes and counts, and requests
// that an application makes for the one that it serves. The last are told apart by the way that
// they have through the proxy, and by who opened their connection.
func (j *journal) find(sel Selection) finding {
	var byID, byURL []step
	for _, s := range j.steps {
		if s.event != RequestHeaders || s.Stream == "" {
			continue
		}
		id, _ := s.Header("x-request-id")
		authority, _ := s.Header(":authority")
		path, _ := s.Header(":path")
		switch {
		case sel.RequestID != "" && flow.SameRequestID(id, sel.RequestID):
			byID = append(byID, s)
		case sel.Authority != "" && authority == sel.Authority && (sel.Path == "" || path == sel.Path):
			byURL = append(byURL, s)
		}
	}
	byID = byID[:min(len(byID), mostOfID)]
	if len(byID) == 0 {
		byID = byURL[:min(len(byURL), mostOfURL)]
	}
	var f finding
	for _, s := range byID {
		f.own = append(f.own, j.exchange(s))
	}
	f.sort(sel)
	return f
}

// sort tells what is the request's own way from what applications called on. A request that a pod
// sends to itself is on both sides of one log.
func (f *finding) sort(sel Selection) {
	all := f.own
	f.own = nil
	for _, x := range all {
		switch out := x.outward(sel.IP); {
		case sel.Side == flow.Server && out:
			f.next = append(f.next, x)
		case sel.Side == flow.Server && x.fromOther(sel.From):
			f.came = append(f.came, x)
		case sel.Side == flow.Client && x.inward() && len(all) > 1:
			f.came = append(f.came, x)
		default:
			f.own = append(f.own, x)
		}
	}
	f.ofPeer(sel)
	f.attempts()
}

// ofPeer keeps of several streams the one that came over the client's own connection: the others
// are the application's next calls.
func (f *finding) ofPeer(sel Selection) {
	mine, rest := instrument.Split(f.own, func(x *exchange) bool { return x.peer() == sel.Peer })
	if sel.Peer == "" || len(mine) == 0 || len(rest) == 0 {
		return
	}
	f.own = mine
	if sel.Side == flow.Client {
		f.next = append(f.next, rest...)
	} else {
		f.came = append(f.came, rest...)
	}
}

// attempts keeps of the attempts of one request, which the client's sidecar makes with one id and
// counts, the first that came over the connection of the last. Streams that are no attempts, or of
// which two have one count, stay as they are.
func (f *finding) attempts() {
	if len(f.own) < 2 {
		return
	}
	counts := map[int]*exchange{}
	for _, x := range f.own {
		n := x.number()
		if n == 0 || counts[n] != nil {
			return
		}
		counts[n] = x
	}
	f.arrivals = slices.SortedFunc(slices.Values(f.own), func(a, b *exchange) int { return a.number() - b.number() })
	last := f.arrivals[len(f.arrivals)-1]
	i := slices.IndexFunc(f.arrivals, func(x *exchange) bool { return x.downstream == last.downstream })
	f.own = f.arrivals[i : i+1]
}

// number is the attempt that the proxy before says that the stream is; 0: it says none.
func (x *exchange) number() int {
	text, _ := x.headers.Header("x-envoy-attempt-count")
	n, _ := strconv.Atoi(text)
	return n
}

// peer is the other end of the stream's connection; "" where it was accepted before the log begins.
func (x *exchange) peer() string {
	if x.phase == nil {
		return ""
	}
	return x.phase.accepted.rest
}

// cluster is the one that the stream was routed to; "" where the log names none.
func (x *exchange) cluster() string {
	s, ok := x.first(ClusterMatch)
	if !ok {
		return ""
	}
	cluster, _, _ := clusterMatch(s.rest)
	return cluster
}

// Names of Istio's clusters for what a pod sends to no known Service.
var passing = []string{"PassthroughCluster", "BlackHoleCluster"}

// outward says whether the stream left the pod: by its cluster, else by who opened its connection.
func (x *exchange) outward(ip string) bool {
	if cluster := x.cluster(); cluster != "" {
		return strings.HasPrefix(cluster, "outbound|") || slices.Contains(passing, cluster)
	}
	return ip != "" && x.from() == ip && !x.inward()
}

// inward says whether the stream came into the pod.
func (x *exchange) inward() bool { return strings.HasPrefix(x.cluster(), "inbound|") }

// from is the address of the other end of the stream's connection; "" where it is not known.
func (x *exchange) from() string {
	end, err := netip.ParseAddrPort(x.peer())
	if err != nil {
		return ""
	}
	return end.Addr().String()
}

// fromOther says whether another pod than the one with an address opened the stream's connection;
// of an address "" nothing is known.
func (x *exchange) fromOther(ip string) bool {
	from := x.from()
	return ip != "" && from != "" && from != ip
}

// A Tally counts the requests of a log that came with an x-request-id, as the log grows.
type Tally struct {
	ID      string // x-request-id
	Streams int

	within bool // the last line was of a request's headers
}

// Add reads the log on, by whole lines.
func (t *Tally) Add(text []byte) {
	for line := range bytes.Lines(text) {
		switch {
		case bytes.HasPrefix(line, []byte("'")):
			if t.within && bytes.HasPrefix(line, []byte("'x-request-id', '")) {
				_, value, ok := parseHeader(strings.TrimRight(string(line), "\r\n"))
				if ok && flow.SameRequestID(value, t.ID) {
					t.Streams++
				}
			}
		default:
			t.within = bytes.Contains(line, []byte("] request headers complete (end_stream="))
		}
	}
}
