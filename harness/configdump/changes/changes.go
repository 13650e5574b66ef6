// Package changes says whether a proxy's configuration has changed on the way of one request, by
// comparing two dumps of the proxy: the one that the way was inferred from, and one that was taken
// after the request. What both dumps agree on held in between, at the request.
//
// The comparison is by meaning. Versions do not count: with delta xDS they are empty. A time
// of update counts only of a resource that is the same word for word: it was another one in
// between, or Envoy had kept it. The order of a list counts only where Envoy goes by it. A secret
// counts by its name, its kind and its state, because certificates are renewed all the time.
//
// What is on the way follows from the places that the hops name: see way.go. What is off
// the way may change.
package changes

import (
	"fmt"
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// OnWay compares two dumps of one proxy as far as they concern the path that was inferred from the
// first one. The error names the dump that cannot be read, or says that the dumps are not of one
// proxy on the path; then nothing is known of the configuration at the request.
func OnWay(before, after *configdump.Dump, path flow.Path) (flow.Configuration, error) {
	proxy := before.Node().Proxy()
	c := flow.Configuration{Proxy: proxy}
	if other := after.Node().Proxy(); other != proxy {
		return c, fmt.Errorf("compare the dumps of %s: the one after the request is of %s", proxy, other)
	}
	w := wayThrough(before, after, path)
	if len(w.hops) == 0 {
		return c, fmt.Errorf("compare the dumps of %s: no hop of the path is of this proxy", proxy)
	}
	w.compare()
	if err := before.Err(); err != nil {
		return c, fmt.Errorf("compare the dumps of %s: before the request: %w", proxy, err)
	}
	if err := after.Err(); err != nil {
		return c, fmt.Errorf("compare the dumps of %s: after the request: %w", proxy, err)
	}
	c.Compared, c.Changes = w.compared, w.changes
	return c, w.err
}

// Texts is OnWay for dumps as they were given, and for one path or several, each change once. What
// cannot be compared is the Problem of the answer.
func Texts(proxy string, before, after []byte, paths ...flow.Path) flow.Configuration {
	fail := func(format string, args ...any) flow.Configuration {
		return flow.Configuration{Proxy: proxy, Problem: fmt.Sprintf(format, args...)}
	}
	if before == nil || after == nil {
		return fail("it was not dumped before and after the request")
	}
	was, err := configdump.Parse(before)
	if err != nil {
		return fail("before the request: %v", err)
	}
	defer was.Close()
	is, err := configdump.Parse(after)
	if err != nil {
		return fail("after the request: %v", err)
	}
	defer is.Close()
	all := flow.Configuration{Proxy: proxy}
	for _, path := range paths {
		c, err := OnWay(was, is, path)
		if err != nil {
			return fail("%v", err)
		}
		if c.Proxy != proxy {
			return fail("the dump is of %s", c.Proxy)
		}
		all.Compared = max(all.Compared, c.Compared)
		for _, change := range c.Changes {
			if !slices.Contains(all.Changes, change) {
				all.Changes = append(all.Changes, change)
			}
		}
	}
	return all
}
