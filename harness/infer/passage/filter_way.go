package passage

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// A FilterWay is what a filter may ask of a walk: filters.Way, but for what only a
// request with routes has.
type FilterWay struct{ *Walk }

// Lot draws for something that happens to so many of so many requests; a random value
// that was given decides.
func (f FilterWay) Lot(what flow.What, at configdump.Value, numerator, of uint64, why string) bool {
	if r := f.Req.Random; r != nil {
		return *r%of < numerator
	}
	return f.Walk.Lot(what, at, numerator, of, why)
}

// Format fills a substitution format string.
func (f FilterWay) Format(text, missing string) (string, bool) { return f.Formatted(text, missing) }

// Fraction reads RuntimeFractionalPercent.
func (f FilterWay) Fraction(v configdump.Value) (numerator, of uint64) { return f.Proxy.Fraction(v) }

// Runtime returns what the runtime says of a key, or a Value that does not exist.
func (f FilterWay) Runtime(key string) configdump.Value { return f.Proxy.Runtime(key) }

// Flag reads RuntimeFeatureFlag: what the runtime says, or else default_value.
func (f FilterWay) Flag(v configdump.Value, otherwise bool) bool {
	if set := f.Proxy.Runtime(v.Get("runtime_key").Text()); set.Exists() {
		return set.Bool()
	}
	if d := v.Get("default_value"); d.Exists() {
		return d.Bool()
	}
	return otherwise
}

// Reachable says whether a cluster is in the dump and may have an endpoint.
func (f FilterWay) Reachable(name string) bool {
	c := f.Proxy.Cluster(name)
	if c == nil {
		return !f.Proxy.Dump.Has(configdump.Cluster)
	}
	if c.Kind != "STATIC" && c.Kind != "EDS" || c.Members() != nil {
		return true
	}
	load := f.Proxy.Load(c)
	return len(load.Hosts) > 0 || c.Kind == "EDS" && !f.Proxy.Dump.Has(configdump.Endpoints)
}

// Labelled says whether a cluster's filter_metadata has true under a key of a namespace.
func (f FilterWay) Labelled(name, namespace, key string) bool {
	c := f.Proxy.Cluster(name)
	return c != nil && c.At.Get("metadata", "filter_metadata").Key(namespace).Key(key).Bool()
}

// Dynamic says whether a cluster is dynamic_forward_proxy, or may be.
func (f FilterWay) Dynamic(name string) bool {
	c := f.Proxy.Cluster(name)
	if c == nil {
		return name != "" && !f.Proxy.Dump.Has(configdump.Cluster)
	}
	return c.ForwardsDynamically()
}

// Healthy says how many percent of a cluster's endpoints are healthy, as far as the
// dump has their health.
func (f FilterWay) Healthy(name string) (percent float64, known bool) {
	c := f.Proxy.Cluster(name)
	if c == nil {
		return 0, true
	}
	hosts := f.Proxy.Load(c).Hosts
	if c.At.Has("health_checks") || c.At.Has("outlier_detection") || len(hosts) == 0 && c.Kind != "STATIC" {
		return 0, false
	}
	healthy := 0
	for _, h := range hosts {
		if h.Healthy() {
			healthy++
		}
	}
	return 100 * float64(healthy) / float64(max(len(hosts), 1)), true
}
