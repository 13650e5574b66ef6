package authority

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Differences says where what was inferred for a request is not what happened; none
// means that they agree.
func Differences(req flow.Request, d flow.Decision, r Result) []string {
	var all []string
	differ := func(what string, inferred, real any) {
		if fmt.Sprint(inferred) != fmt.Sprint(real) {
			all = append(all, fmt.Sprintf("%s: inferred %v, Envoy %v", what, inferred, real))
		}
	}
	entry := lastEntry(r)
	if d.FilterChainIndex != -2 && d.Failure != flow.TLSError && d.Failure != flow.MTLSError {
		differ("filter chain", fmt.Sprintf("%s#%d", d.Listener, d.FilterChainIndex), entry.Chain)
	}
	switch d.Outcome {
	case flow.Answered:
		differ("status", d.Status, r.Status)
		differ("location", d.Location, r.Location)
		differ("upstream", "none", upstream(r))
	case flow.Forwarded:
		if d.Cluster != "" {
			differ("cluster", d.Cluster, entry.Cluster)
			differ("upstream reached", true, r.Seen != nil || entry.Details == "via_upstream" || refused(entry) ||
				carried(entry))
		}
		if d.VirtualHost != "" && strings.Contains(entry.Route, "#") { // routes of a matcher tree keep their own names
			differ("route", fmt.Sprintf("%s#%d", d.VirtualHost, d.RouteIndex), entry.Route)
		}
		if r.Seen != nil && r.Seen.Path != "" && d.VirtualHost != "" {
			path, host := "", ""
			if d.Rewrite != nil {
				path, host = d.Rewrite.Path, d.Rewrite.Host
			}
			differ("path", first(path, req.Path, "/"), r.Seen.Path)
			differ("host", first(host, req.Authority), r.Seen.Host)
		}
	case flow.Failed:
		differ("upstream", "none", upstream(r))
		all = append(all, failed(d, r, entry)...)
	}
	return all
}

// Contradicts says where what happened cannot be if the decision is right. Of a decision that is
// not certain, what happened has to be among what is possible, where all of that can be named.
func Contradicts(req flow.Request, d flow.Decision, r Result) []string {
	all := otherEndpoint(d, r)
	if !wentInside(d) {
		all = append(all, Differences(req, d, r)...)
	} else if d.Outcome != flow.Forwarded && d.Status != r.Status {
		all = append(all, fmt.Sprintf("status: inferred %d, Envoy %d (%s)", d.Status, r.Status, r.Problem))
	}
	if len(all) == 0 || d.Certainty == flow.Certain {
		return all
	}
	if d.Others || slices.ContainsFunc(d.Possible, func(p flow.Possibility) bool { return happens(p, r) }) {
		return nil
	}
	return append(all, "and it is not among what is possible")
}

// otherEndpoint compares the endpoint that was reached with those that the decision names.
func otherEndpoint(d flow.Decision, r Result) []string {
	host := lastEntry(r).Host
	if r.Seen != nil {
		host = r.Seen.Local
	} else if wentInside(d) || !refused(lastEntry(r)) {
		host = ""
	}
	if d.Outcome != flow.Forwarded || host == "" {
		return nil
	}
	for _, h := range slices.Backward(d.Hops) {
		if h.Kind != flow.Endpoint {
			continue
		}
		if h.Decision == host || slices.ContainsFunc(h.Choices, func(c flow.Choice) bool { return c.Name == host }) {
			return nil
		}
		return []string{fmt.Sprintf("endpoint: inferred %s %v, Envoy %s", h.Decision, h.Choices, host)}
	}
	return nil
}

// wentInside says whether the decision follows a connection inside of the proxy. Envoy logs the
// outer request then, and the decision is of the inner one: only its end can be compared.
func wentInside(d flow.Decision) bool {
	return slices.ContainsFunc(d.Hops, func(h flow.Hop) bool { return h.Inside > 0 })
}

// happens says whether a possible outcome is what happened.
func happens(p flow.Possibility, r Result) bool {
	entry := lastEntry(r)
	if p.Outcome == flow.Forwarded {
		if r.Seen != nil && len(p.Endpoints) > 0 && !strings.HasPrefix(p.Endpoints[0], "envoy:") {
			// also where the way goes on inside of the proxy
			return slices.Contains(p.Endpoints, r.Seen.Local)
		}
		return p.Cluster == "" || p.Cluster == entry.Cluster
	}
	status := max(r.Status, entry.Code)
	return r.Seen == nil && (p.Status == 0 || p.Status == status) && (p.Location == "" || p.Location == r.Location) &&
		(p.Flag == "" || contains(strings.Split(entry.Flags, ","), p.Flag))
}

// carried says whether Envoy has connected a TCP stream to a host, which may have had no answer to
// the bytes.
func carried(e Entry) bool { return e.Method == "" && e.Host != "" }

// refused says whether Envoy has dialled the host and it refused: the way led there.
func refused(e Entry) bool { return e.Host != "" && contains(strings.Split(e.Flags, ","), "UF") }

// failed compares failures: the status where there is one, and the response flag.
func failed(d flow.Decision, r Result, entry Entry) []string {
	var all []string
	if status := max(r.Status, entry.Code); d.Status != status {
		all = append(all, fmt.Sprintf("status: inferred %d, Envoy %d (%s)", d.Status, status, r.Problem))
	}
	flags := strings.Split(entry.Flags, ",")
	if d.Flag != "" && !contains(flags, d.Flag) {
		all = append(all, fmt.Sprintf("flag: inferred %s, Envoy %s (%s)", d.Flag, entry.Flags, entry.Details))
	}
	return all
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// lastEntry returns the line that says most: that of a request or stream before
// that of the listener.
func lastEntry(r Result) Entry {
	best := Entry{}
	for _, e := range r.Entries {
		if best.From == "" || e.Cluster != "" || e.Method != "" || e.Chain != "" && best.Chain == "" {
			if best.Cluster == "" && best.Method == "" {
				best = e
			}
		}
	}
	return best
}

func upstream(r Result) string {
	if r.Seen == nil {
		return "none"
	}
	return r.Seen.Cluster
}
