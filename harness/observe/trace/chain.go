package trace

import (
	"fmt"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// A chain is the sockets that one request went over, from the client's application to the server's.
// Each link is proven by equal 4-tuples, by the request's id, or by Envoy's own join; where two
// sockets could be the one, it stays nil and ambiguous says so.
type chain struct {
	clientApp      *socket // the client's own connection
	downstream     *socket // its other end, accepted by the client's sidecar
	upstream       *socket // the client's sidecar's connection to the server's pod
	serverDown     *socket // its other end, accepted by the server's sidecar
	serverUp       *socket // the server's sidecar's connection to its application
	serverApp      *socket // its other end, the application's
	clientRequest  *Event  // the client's sidecar reads the request
	serverRequest  *Event  // the server's sidecar writes the request
	appRequest     *Event  // the application reads it
	clientJoin     *join   // what Envoy itself joined in the client's sidecar
	serverJoin     *join   // and in the server's
	clientProblems []string
	serverProblems []string
}

// Selection says which request a recording is read for.
type Selection struct {
	RequestID string
}

// follow finds the request's sockets.
func (j *journal) follow(r *Recording, sel Selection) *chain {
	c := &chain{}
	client, server := j.ends(r, sel)
	c.clientEnd(j, client, sel)
	c.serverEnd(j, server, sel)
	c.between(j, r, sel, client, server)
	return c
}

// ends are the pods of the request. Of several that were watched as servers it is the one in which
// the request's id was seen.
func (j *journal) ends(r *Recording, sel Selection) (client, server string) {
	for _, pod := range r.Pods {
		carries := func(s *socket) bool {
			return s.request(Write, sel.RequestID) != nil || s.request(Read, sel.RequestID) != nil
		}
		switch {
		case pod.Side == flow.Client:
			client = pod.Name
		case server == "", len(j.find(pod.Name, carries)) > 0:
			server = pod.Name
		}
	}
	return client, server
}

// one returns the only socket, or says that there are several.
func one(found []*socket, what string, problems *[]string) *socket {
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0]
	}
	var ends []string
	for _, s := range found {
		ends = append(ends, fmt.Sprintf("%s–%s", s.local, s.remote))
	}
	*problems = append(*problems, fmt.Sprintf("%d sockets could be the %s: %s", len(found), what,
		strings.Join(ends, ", ")))
	return nil
}

// clientEnd finds the connection of the client's application by the request's id, and its other end
// by the 4-tuple: REDIRECT changes the destination that the sidecar's socket shows, and leaves the
// client's address and port alone, unless another connection that was redirected has them: then the
// request's id tells this end too.
func (c *chain) clientEnd(j *journal, pod string, sel Selection) {
	c.downstream = one(j.find(pod, func(s *socket) bool { return s.proxy() && s.request(Read, sel.RequestID) != nil }),
		"client's connection to its sidecar", &c.clientProblems)
	if c.downstream != nil {
		c.clientRequest = c.downstream.request(Read, sel.RequestID)
		c.clientApp = one(j.find(pod, func(s *socket) bool { return !s.proxy() && s.local == c.downstream.remote }),
			"client's own connection", &c.clientProblems)
		if c.clientApp != nil || len(c.clientProblems) > 0 {
			return
		}
	}
	c.clientApp = one(j.find(pod, func(s *socket) bool { return !s.proxy() && s.request(Write, sel.RequestID) != nil }),
		"client's own connection", &c.clientProblems)
}

// serverEnd finds the connection to the application by the request's id, and its other end by the
// 4-tuple. Where each of several attempts had one of its own, it is the one of the attempt that
// came over the client's last connection, as Envoy itself joined them.
func (c *chain) serverEnd(j *journal, pod string, sel Selection) {
	ups := j.find(pod, func(s *socket) bool {
		return s.proxy() && s.request(Write, sel.RequestID) != nil && s.inward()
	})
	if last := j.lastOf(ups, c.lastJoin(j), sel); last != nil {
		ups = []*socket{last}
	}
	c.serverUp = one(ups, "server's sidecar's connection to its application", &c.serverProblems)
	if c.serverUp != nil {
		c.serverRequest = c.serverUp.request(Write, sel.RequestID)
		c.serverApp = one(j.find(pod, func(s *socket) bool {
			return !s.proxy() && s.local == c.serverUp.remote && s.remote == c.serverUp.local
		}), "application's connection", &c.serverProblems)
	} else {
		c.serverApp = one(j.find(pod, func(s *socket) bool {
			return !s.proxy() && s.request(Read, sel.RequestID) != nil
		}),
			"application's connection", &c.serverProblems)
	}
	if c.serverApp != nil {
		c.appRequest = c.serverApp.request(Read, sel.RequestID)
	}
}

// lastJoin is what Envoy itself joined with the client's connection last; nil where it was not
// seen.
func (c *chain) lastJoin(j *journal) *join {
	if c.downstream == nil || c.clientRequest == nil {
		return nil
	}
	return j.joinAfter(c.downstream, c.clientRequest, c.answer())
}

// lastOf is of connections to an application the one that Envoy joined with what came over the
// client's last connection; nil where there is only one, or Envoy was not seen to join them.
func (j *journal) lastOf(ups []*socket, client *join, sel Selection) *socket {
	if len(ups) < 2 || client == nil || client.up == nil {
		return nil
	}
	var last *socket
	for _, up := range ups {
		server := j.joinBefore(up, up.request(Write, sel.RequestID))
		if server == nil || server.down == nil || server.down.remote != client.up.local {
			continue
		}
		if last != nil {
			return nil
		}
		last = up
	}
	return last
}

// join is what Envoy itself joined in the sidecar of a side; nil where it did not, or was not
// asked.
func (c *chain) join(side flow.Side) *join {
	if side == flow.Server {
		return c.serverJoin
	}
	return c.clientJoin
}

// down is the connection that the sidecar of a side accepted.
func (c *chain) down(side flow.Side) *socket {
	if side == flow.Server {
		return c.serverDown
	}
	return c.downstream
}

// A pair are the two ends of one connection between the sidecars.
type pair struct{ up, down *socket }

// between finds the connection between the two sidecars: two ends with equal 4-tuples over which
// bytes went while the request was on its way. Envoy's own join decides where it was seen; without
// it there has to be exactly one.
func (c *chain) between(j *journal, r *Recording, sel Selection, client, server string) {
	if c.clientRequest == nil {
		c.withoutClientSidecar(j, server, sel)
		return
	}
	clientListens, serverListens := j.listening(client), j.listening(server)
	var pairs []pair
	for _, up := range j.find(client, func(s *socket) bool {
		return s.proxy() && s != c.downstream && !s.downstream(clientListens) && s.busy(c.clientRequest, c.answer())
	}) {
		for _, down := range j.find(server, func(s *socket) bool {
			return s.proxy() && s.remote == up.local && s.downstream(serverListens) &&
				s.busy(c.clientRequest, c.answer())
		}) {
			pairs = append(pairs, pair{up, down})
		}
	}
	pairs = c.joined(j, pairs)
	switch len(pairs) {
	case 0:
		c.apart(j, client, server, sel)
	case 1:
		c.upstream, c.serverDown = pairs[0].up, pairs[0].down
	default:
		var ends []string
		for _, p := range pairs {
			ends = append(ends, p.up.local.String())
		}
		problem := fmt.Sprintf("%d connections between the sidecars were busy with something while the request was "+
			"on its way: %s", len(pairs), strings.Join(ends, ", "))
		c.clientProblems = append(c.clientProblems, problem)
		c.serverProblems = append(c.serverProblems, problem)
	}
}

// apart finds the ends of a connection whose 4-tuples do not meet: the other end was not watched,
// or a node in between translated the addresses, as it does for a port of its own. Envoy's own join
// tells this end; else each end is the one that the request's id went over in clear text.
func (c *chain) apart(j *journal, client, server string, sel Selection) {
	if c.clientJoin != nil {
		c.upstream = c.clientJoin.up
	} else {
		c.upstream = one(j.find(client, func(s *socket) bool {
			return s.proxy() && s != c.downstream && !s.inward() && s.request(Write, sel.RequestID) != nil
		}), "client's sidecar's connection to the server", &c.clientProblems)
	}
	if server == "" || c.serverUp == nil {
		return
	}
	c.serverDown = one(j.find(server, func(s *socket) bool {
		return s.proxy() && s.request(Read, sel.RequestID) != nil && !s.inward()
	}),
		"client's connection to the server's sidecar", &c.serverProblems)
}

// withoutClientSidecar is a client that dials the server's pod itself, or through a port of a node:
// then no instrument on the server's side sees its address. What it says in clear text has the
// request's id.
func (c *chain) withoutClientSidecar(j *journal, server string, sel Selection) {
	if c.downstream != nil {
		return
	}
	if c.clientApp == nil {
		c.serverDown = one(j.find(server, func(s *socket) bool {
			return s.proxy() && s.request(Read, sel.RequestID) != nil
		}),
			"client's connection to the server's sidecar", &c.serverProblems)
		return
	}
	c.serverDown = one(j.find(server, func(s *socket) bool { return s.proxy() && s.remote == c.clientApp.local }),
		"client's connection to the server's sidecar", &c.serverProblems)
}

// joined keeps the pairs that Envoy's own joins allow: the downstream connection that the request
// came on was joined to the upstream end, and the other end to the connection to the application.
func (c *chain) joined(j *journal, pairs []pair) []pair {
	c.clientJoin = j.joinAfter(c.downstream, c.clientRequest, c.answer())
	c.serverJoin = j.joinBefore(c.serverUp, c.serverRequest)
	var kept []pair
	for _, p := range pairs {
		if (c.clientJoin == nil || c.clientJoin.up == p.up) && (c.serverJoin == nil || c.serverJoin.down == p.down) {
			kept = append(kept, p)
		}
	}
	return kept
}

// joinAfter is the first time that a downstream connection's request was given an upstream one
// after an event and before the answer, where that was seen: the connection's next request is
// another. Of attempts over several connections it is the last one's, which is the one that logs
// tell of.
func (j *journal) joinAfter(down *socket, after, answer *Event) *join {
	var found *join
	for i := range j.joins {
		e := &j.joins[i]
		switch {
		case down == nil || e.down != down || e.at.Time.Before(after.Time):
		case answer == nil:
			return e
		case e.at.Time.Before(answer.Time) && (found == nil || found.up != e.up):
			found = e
		}
	}
	return found
}

// joinBefore is the last request that was given an upstream connection before an event.
func (j *journal) joinBefore(up *socket, before *Event) *join {
	for i := len(j.joins) - 1; i >= 0; i-- {
		if e := &j.joins[i]; up != nil && e.up == up && !e.at.Time.After(before.Time) {
			return e
		}
	}
	return nil
}

// began is when the request's way began, as far as it was seen; now where it was not.
func (c *chain) began() time.Time {
	if c.clientApp != nil && c.clientApp.connected != nil {
		return c.clientApp.connected.Time
	}
	for _, e := range []*Event{c.clientRequest, c.serverRequest, c.appRequest} {
		if e != nil {
			return e.Time
		}
	}
	return time.Now()
}

// during says whether an event was while the request was on its way, as far as that is known.
func (c *chain) during(e *Event) bool {
	answered := c.downstream != nil && c.clientRequest != nil && c.answer() != nil && e.Time.After(c.answer().Time)
	return !e.Time.Before(c.began()) && !answered
}

// unseen says why a side's connections cannot be told apart from those of other requests: none
// carried the request's id in clear text, as where HTTP/2 compresses it, TLS hides it, or it came
// to no request.
func (c *chain) unseen(side flow.Side) string {
	if side == flow.Server && c.serverDown == nil && c.serverUp == nil && c.clientRequest == nil ||
		side == flow.Client && c.downstream == nil && c.clientApp == nil {
		return "no connection carried the request's id in clear text, so none can be said to be its"
	}
	return ""
}

// answer is when the client's sidecar wrote the answer; nil while it has not.
func (c *chain) answer() *Event { return c.downstream.response(Write, c.clientRequest) }
