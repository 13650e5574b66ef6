package upstream

import (
	"fmt"

	"github.com/flowproof/lab/harness/infer/proxy"
)

// A prioritySet is a cluster's hosts by priority, with how much of the load each priority gets. It
// follows LoadBalancerBase::recalculatePerPriorityState of
// source/extensions/load_balancing_policies/common.
type prioritySet struct {
	hosts     []proxy.Host
	levels    []level
	over      uint64  // overprovisioning factor in percent
	threshold float64 // panic threshold in percent
	panics    bool    // some level is in panic
}

// A level is one priority.
type level struct {
	all                       int    // hosts of any state
	total, healthy, degraded  int    // without those that are draining
	healthShare, degradeShare uint64 // availability in percent, overprovisioned
	healthyLoad, degradedLoad uint64 // of the whole load, in percent
	panic                     bool
}

func newPrioritySet(hosts []proxy.Host, over uint64, threshold float64) *prioritySet {
	s := &prioritySet{hosts: hosts, over: over, threshold: min(threshold, 100)}
	for _, h := range hosts {
		for uint32(len(s.levels)) <= min(h.Priority, 128) {
			s.levels = append(s.levels, level{})
		}
		l := &s.levels[min(h.Priority, 128)]
		l.all++
		switch {
		case h.Health == "DRAINING": // excluded: it counts neither as there nor as missing
			continue
		case h.Healthy():
			l.healthy++
		case h.Health == "DEGRADED":
			l.degraded++
		}
		l.total++
	}
	s.distribute()
	return s
}

// distribute gives each level its part of the load.
func (s *prioritySet) distribute() {
	var sum uint64
	for i := range s.levels {
		l := &s.levels[i]
		if l.total == 0 {
			continue
		}
		l.healthShare = min(100, s.over*uint64(l.healthy)/uint64(l.total))
		l.degradeShare = min(100, s.over*uint64(l.degraded)/uint64(l.total))
		sum += l.healthShare + l.degradeShare
	}
	available := min(sum, 100)
	all := true
	for i := range s.levels {
		l := &s.levels[i]
		l.panic = available != 100 && s.inPanic(l)
		s.panics = s.panics || l.panic
		all = all && l.panic
	}
	switch {
	case available == 0 && !all: // no host may be used, and nothing panics
	case all:
		s.loadInPanic()
	default:
		s.loadByHealth(available)
	}
}

func (s *prioritySet) inPanic(l *level) bool {
	percent := 0.0
	if l.total > 0 {
		percent = 100 * float64(l.healthy+l.degraded) / float64(l.total)
	}
	return percent < s.threshold
}

// loadByHealth fills the levels in order with healthy hosts, then with degraded ones; what rounding
// leaves goes to the first that has any.
func (s *prioritySet) loadByHealth(available uint64) {
	left := uint64(100)
	var first *uint64
	give := func(load *uint64, share uint64) {
		if first == nil && share > 0 {
			first = load
		}
		*load = min(left, share*100/available)
		left -= *load
	}
	for i := range s.levels {
		give(&s.levels[i].healthyLoad, s.levels[i].healthShare)
	}
	for i := range s.levels {
		give(&s.levels[i].degradedLoad, s.levels[i].degradeShare)
	}
	if first != nil {
		*first += left
	}
}

// loadInPanic spreads the load over all levels by their number of hosts.
func (s *prioritySet) loadInPanic() {
	total := uint64(len(s.hosts))
	if total == 0 {
		return
	}
	left, firstUsed := uint64(100), -1
	for i := range s.levels {
		l := &s.levels[i]
		if firstUsed < 0 && l.all > 0 {
			firstUsed = i
		}
		l.healthyLoad = 100 * uint64(l.all) / total
		left -= l.healthyLoad
	}
	s.levels[firstUsed].healthyLoad += left
}

// shares returns the share of each host, in the order of the set's hosts, and how it came about.
func (s *prioritySet) shares(c *proxy.Cluster) ([]float64, string) {
	shares := make([]float64, len(s.hosts))
	byLocality := c.At.Get("common_lb_config").Has("locality_weighted_lb_config")
	failInPanic := c.At.Get("common_lb_config", "zone_aware_lb_config", "fail_traffic_on_panic").Bool()
	for i := range s.levels {
		l := s.levels[i]
		switch {
		case l.panic && failInPanic:
		case l.panic:
			s.spread(shares, i, l.healthyLoad+l.degradedLoad, func(proxy.Host) bool { return true }, false)
		default:
			s.spread(shares, i, l.healthyLoad, proxy.Host.Healthy, byLocality)
			s.spread(shares, i, l.degradedLoad, func(h proxy.Host) bool { return h.Health == "DEGRADED" }, byLocality)
		}
	}
	return shares, s.how()
}

// spread divides a load in percent over the hosts of one level.
func (s *prioritySet) spread(shares []float64, level int, load uint64, use func(proxy.Host) bool, byLocality bool) {
	if load == 0 {
		return
	}
	groups := s.localities(level, use, byLocality)
	var total float64
	for _, g := range groups {
		total += g.weight
	}
	for _, g := range groups {
		var weights float64
		for _, i := range g.members {
			weights += float64(s.hosts[i].Weight)
		}
		for _, i := range g.members {
			shares[i] += float64(load) / 100 * g.weight / total * float64(s.hosts[i].Weight) / weights
		}
	}
}

// A group is the usable hosts of one locality with its effective weight.
type group struct {
	members []int
	weight  float64
}

// localities groups the usable hosts of a level. With locality weights each locality counts by
// its weight and its availability; hosts of a locality without weight get nothing. Without, all
// hosts are one group.
func (s *prioritySet) localities(level int, use func(proxy.Host) bool, byLocality bool) []group {
	one := group{weight: 1}
	var names []string
	groups, totals, weights := map[string]*group{}, map[string]int{}, map[string]uint32{}
	weighted := false
	for i, h := range s.hosts {
		if int(min(h.Priority, 128)) != level {
			continue
		}
		if h.Health != "DRAINING" {
			totals[h.Locality]++
		}
		if !use(h) {
			continue
		}
		one.members = append(one.members, i)
		if groups[h.Locality] == nil {
			groups[h.Locality], weights[h.Locality] = &group{}, h.LocalityWeight
			names = append(names, h.Locality)
		}
		groups[h.Locality].members = append(groups[h.Locality].members, i)
		weighted = weighted || h.LocalityWeight > 0
	}
	if !byLocality || !weighted {
		if len(one.members) == 0 {
			return nil
		}
		return []group{one}
	}
	var all []group
	for _, n := range names {
		g := groups[n]
		available := min(1, float64(s.over)/100*float64(len(g.members))/float64(max(totals[n], 1)))
		if g.weight = float64(weights[n]) * available; g.weight > 0 {
			all = append(all, *g)
		}
	}
	return all
}

// how says in one sentence what decided.
func (s *prioritySet) how() string {
	healthy, used := 0, 0
	for _, l := range s.levels {
		healthy += l.healthy
		if l.healthyLoad+l.degradedLoad > 0 {
			used++
		}
	}
	text := fmt.Sprintf("%d of %d endpoints are healthy", healthy, len(s.hosts))
	if len(s.levels) > 1 {
		text += fmt.Sprintf(", %d of %d priorities are used", used, len(s.levels))
	}
	if s.panics {
		text += fmt.Sprintf("; fewer than %.0f %% are available, so Envoy panics and uses all", s.threshold)
	}
	return text
}
