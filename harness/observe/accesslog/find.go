package accesslog

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// Sent is what the client's sidecar wrote about the request that it sent on.
type Sent struct {
	// RequestID is the x-request-id that it was sent on with, where a route replaced it; "": it is
	// the one that the request came with.
	RequestID string
	Local     string // ip:port that it was sent from, by the last attempt
	Opaque    bool   // the proxy passed its bytes on and looked at no HTTP: no log has its id
	IP        string // address that it was sent to, by the last attempt; "" and Known: it was not sent on
	Known     bool   // a line tells where it was sent
	Attempts  int    // how often it was sent; 0: unknown
}

// SentOn reads what the client's sidecar wrote: the line with the request's id, else the one of the
// client's own connection.
func SentOn(log []byte, id, peer string) Sent {
	var sent Sent
	lines := marked(log, marks(id, peer))
	for _, line := range find(lines, Selection{RequestID: id, Peer: peer, Side: flow.Client}).own {
		if own := line.RequestID(); own != "" && !flow.SameRequestID(own, id) {
			sent.RequestID = own
		}
		sent.Local, sent.Opaque = line.values[upLocal], line.opaque()
		sent.Attempts, _ = strconv.Atoi(line.values[attemptCount])
		host, has := line.Get(upHost)
		if !has {
			continue
		}
		if end, err := netip.ParseAddrPort(host); err == nil {
			sent.IP, sent.Known = end.Addr().String(), true
			return sent
		}
		if host == "" {
			sent.Known = true
		}
	}
	return sent
}

// fromAnother says whether the only lines of the client's own connection are of requests with
// another id than was sent: a route replaced it, or they are of an earlier connection that had the
// same source port.
func fromAnother(log []byte, id, peer string) bool {
	own := find(marked(log, marks(id, peer)), Selection{RequestID: id, Peer: peer, Side: flow.Client}).own
	return len(own) > 0 && !slices.ContainsFunc(own, func(l Line) bool {
		return l.RequestID() == "" || flow.SameRequestID(l.RequestID(), id)
	})
}

// opaque says of a line that it is of a connection whose bytes were passed on as they were: it has
// no protocol and no id.
func (l Line) opaque() bool {
	spoken, known := l.Get(protocol)
	return known && spoken == "" && l.RequestID() == ""
}

// A finding is what a log has of one request.
type finding struct {
	own      []Line // that may be the request's on its way through the proxy; one: it is
	arrivals []Line // of all attempts of it that arrived, in their order, where there are several
	next     []Line // of what the application called on with the request's id, as it left
	came     []Line // and as it came here from another application
}

// find returns the lines of the selected request, or of its connection where it is no HTTP. Where a
// route replaced the id, the client's own connection tells its line, and in a server's log what the
// client's sidecar wrote. Of several lines those that came through the other side's port, or that
// another pod's application sent, are of what applications called on.
func find(lines []Line, sel Selection) finding {
	var f finding
	var all []Line
	for _, l := range lines {
		if sel.names(l) || sel.Peer != "" && l.RequestID() == "" && l.values[downRemote] == sel.Peer {
			all = append(all, l)
		}
	}
	if len(all) == 0 && sel.Side == flow.Client && sel.Peer != "" {
		for _, l := range lines {
			if l.values[downRemote] == sel.Peer {
				all = append(all, l)
			}
		}
	}
	several := len(all) > 1
	for _, l := range all {
		switch port := l.port(); {
		case sel.Side == flow.Server && port == outboundPort:
			f.next = append(f.next, l)
		case sel.Side == flow.Server && sel.fromOther(l):
			f.came = append(f.came, l)
		case sel.Side == flow.Client && several && port == inboundPort:
			f.came = append(f.came, l)
		default:
			f.own = append(f.own, l)
		}
	}
	f.ofPeer(sel)
	f.attempts(sel)
	return f
}

// names says whether a line has the request's id, as it was sent or as the client's sidecar sent it
// on.
func (sel Selection) names(l Line) bool {
	if sel.Side == flow.Server && sel.Client.RequestID != "" {
		return flow.SameRequestID(l.RequestID(), sel.Client.RequestID) && l.values[downRemote] == sel.Client.Local
	}
	return flow.SameRequestID(l.RequestID(), sel.RequestID)
}

// port is the one that the line's connection was redirected to; 0: the line does not tell.
func (l Line) port() uint16 {
	direct, err := netip.ParseAddrPort(l.values[downDirectLocal])
	if err != nil {
		return 0
	}
	return direct.Port()
}

// fromOther says whether another pod than the client's opened the line's connection.
func (sel Selection) fromOther(l Line) bool {
	end, err := netip.ParseAddrPort(l.values[downRemote])
	return sel.From != "" && err == nil && end.Addr().String() != sel.From
}

// ofPeer keeps of several lines the one of the client's own connection: the others are of what the
// application called on.
func (f *finding) ofPeer(sel Selection) {
	mine, rest := instrument.Split(f.own, func(l Line) bool { return l.values[downRemote] == sel.Peer })
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

// attempts keeps of the lines of attempts, where the client's sidecar made several, the first that
// came over the connection of its last one; where that one did not come here, of the last that did.
// More lines than it made attempts are not all attempts.
func (f *finding) attempts(sel Selection) {
	if sel.Side != flow.Server || len(f.own) == 0 || sel.Client.Attempts < 2 || len(f.own) > sel.Client.Attempts {
		return
	}
	f.arrivals = slices.SortedStableFunc(slices.Values(f.own), func(a, b Line) int { return a.Time.Compare(b.Time) })
	over := func(peer string) int {
		return slices.IndexFunc(f.arrivals, func(l Line) bool { return l.values[downRemote] == peer })
	}
	i := over(sel.Client.Local)
	if i < 0 {
		i = over(f.arrivals[len(f.arrivals)-1].values[downRemote])
	}
	f.own = f.arrivals[i : i+1]
}

// arrived tells of each attempt of the client's sidecar that arrived here, where there were
// several.
func (o *observer) arrived(all []Line) {
	for i, l := range all {
		o.tell(l, flow.NetworkFilters, flow.FactArrival, strconv.Itoa(i+1), flow.FactAttemptStatus,
			l.values[responseCode])
	}
}

// next tells of requests that applications made on their own for the one that they serve.
func (o *observer) next(f finding) {
	for _, l := range f.next {
		path, _, _ := strings.Cut(l.values["path"], "?")
		call := l.values["method"] + " " + l.values["authority"] + path
		attempts := ""
		if n, err := strconv.Atoi(l.values[attemptCount]); err == nil && n > 1 {
			attempts = strconv.Itoa(n)
		}
		o.tell(l, flow.App, flow.FactNextCall, call, flow.FactNextEndpoint, l.values[upHost],
			flow.FactNextStatus, l.values[responseCode], flow.FactNextAttempts, attempts)
	}
	for _, l := range f.came {
		o.tell(l, flow.App, flow.FactNextPeer, l.values[downRemote], flow.FactNextEndpoint, l.values[downLocal],
			flow.FactNextStatus, l.values[responseCode])
	}
}

// tell adds what a line proves beside the way. Facts come in pairs of name and value; one without a
// value is none.
func (o *observer) tell(l Line, kind flow.HopKind, facts ...string) {
	line := observer{Line: l, sel: o.sel}
	for i := 0; i+1 < len(facts); i += 2 {
		if facts[i+1] == "" {
			continue
		}
		if i == 0 || len(line.seen) == 0 {
			line.see(kind, facts[i], facts[i+1])
			continue
		}
		line.seen[0].Facts = append(line.seen[0].Facts, flow.Seen{Name: facts[i], Value: facts[i+1]})
	}
	o.seen = append(o.seen, line.seen...)
}
