package passage

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// A FilterWay is what a filter may ask of a walk: filters.Way, but for what only a request with routes has.
type FilterWay struct{ W *Walk }

// Holds decides a condition, which may depend on something.
func (f FilterWay) Holds(t match.Truth, what flow.What, at configdump.Value, format string, args ...any) bool {
	return f.W.Holds(t, what, at, format, args...)
}

// Compared says which value the last condition was held against.
func (f FilterWay) Compared(value string) { f.W.Compared(value) }

// ComparedHeader is Compared for the values of a header.
func (f FilterWay) ComparedHeader(name string) { f.W.ComparedHeader(name) }

// Lot draws for something that happens to so many of so many requests; a random value that was given decides.
func (f FilterWay) Lot(what flow.What, at configdump.Value, numerator, of uint64, why string) bool {
	if r := f.W.Req.Random; r != nil {
		return *r%of < numerator
	}
	return f.W.Lot(what, at, numerator, of, why)
}

// May asks whether something happens that is not known.
func (f FilterWay) May(what flow.What, on, why string, at configdump.Value) bool {
	return f.W.May(what, on, why, at)
}

// Format fills a substitution format string.
func (f FilterWay) Format(text, missing string) (string, bool) { return f.W.Formatted(text, missing) }

// Fraction reads RuntimeFractionalPercent.
func (f FilterWay) Fraction(v configdump.Value) (numerator, of uint64) { return f.W.Proxy.Fraction(v) }

// Flag reads RuntimeFeatureFlag: what the runtime says, or else default_value.
func (f FilterWay) Flag(v configdump.Value, otherwise bool) bool {
	if set := f.W.Proxy.Runtime(v.Get("runtime_key").Text()); set.Exists() {
		return set.Bool()
	}
	if d := v.Get("default_value"); d.Exists() {
		return d.Bool()
	}
	return otherwise
}

// Reachable says whether a cluster is in the dump and may have an endpoint.
func (f FilterWay) Reachable(name string) bool {
	c := f.W.Proxy.Cluster(name)
	if c == nil {
		return !f.W.Proxy.Dump.Has(configdump.Cluster)
	}
	if c.Kind != "STATIC" && c.Kind != "EDS" || c.Members() != nil {
		return true
	}
	load := f.W.Proxy.Load(c)
	return len(load.Hosts) > 0 || c.Kind == "EDS" && !f.W.Proxy.Dump.Has(configdump.Endpoints)
}

// Healthy says how many percent of a cluster's endpoints are healthy, as far as the dump has their health.
func (f FilterWay) Healthy(name string) (percent float64, known bool) {
	c := f.W.Proxy.Cluster(name)
	if c == nil {
		return 0, true
	}
	hosts := f.W.Proxy.Load(c).Hosts
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
