package authority

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Differences says where what was inferred for a request is not what happened; none means that they agree.
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
			differ("upstream reached", true, r.Seen != nil || entry.Details == "via_upstream")
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

// lastEntry returns the line that says most: that of a request or stream before that of the listener.
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
