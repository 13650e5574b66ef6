package upstream

import (
	"fmt"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// A refusal is what a cluster does to a part of its requests before an endpoint is picked.
type refusal struct {
	numerator, of uint64 // the part
	flag, details string
	why           string
	at            configdump.Value
}

// refuses ends the way of an HTTP request that the cluster does not take, and says whether it has.
// (Router::Filter::decodeHeaders)
func refuses(w *passage.Walk, c *proxy.Cluster, hop flow.Hop) bool {
	if w.HCM == nil {
		return false
	}
	for _, r := range []refusal{maintenance(w, c), overload(w, c)} {
		if r.numerator == 0 {
			continue
		}
		text := fmt.Sprintf("%s %d of %d requests", r.why, min(r.numerator, r.of), r.of)
		if r.numerator < r.of && !(passage.FilterWay{Walk: w}).Lot(flow.WhatAnswer, r.at, r.numerator, r.of, text) {
			continue
		}
		status := w.LocalStatus(503, r.flag)
		hop.Decision = fmt.Sprintf("answered %d by the proxy", status)
		hop.Why = say.Join(hop.Why, fmt.Sprintf("%s: Envoy answers 503 (%s)", text, r.flag))
		hop.Expect = append(passage.StatusFact(status), passage.Fact(flow.FactDetails, r.details))
		w.Add(flow.Cluster, r.at, hop)
		w.Answer(0, "")
		w.Out.Status, w.Out.Flag = status, r.flag
		return true
	}
	return false
}

// maintenance is what the runtime turns away. (ClusterInfoImpl::maintenanceMode)
func maintenance(w *passage.Walk, c *proxy.Cluster) refusal {
	key := "upstream.maintenance_mode." + c.Name
	return refusal{w.Proxy.Percent(key, 0), 100, "UO", "maintenance_mode", key + " of the runtime turns away",
		w.Proxy.Runtime(key)}
}

// overload is what drop_overloads of the endpoints' policy drops; Envoy takes one category. The
// runtime bounds it. (Router::Filter::checkDropOverload, ClusterImplBase::parseDropOverloadConfig)
func overload(w *passage.Walk, c *proxy.Cluster) refusal {
	at := w.Proxy.Load(c).Drops.Element(0)
	if !at.Exists() {
		return refusal{}
	}
	r := refusal{flag: "DO", details: "drop_overload", why: "drop_overloads drops", at: at}
	r.numerator, r.of = match.Fraction(at.Get("drop_percentage"))
	if most := w.Proxy.Percent("load_balancing_policy.drop_overload_limit", 100); r.numerator*100 > r.of*most {
		r.numerator, r.of, r.why = most, 100, "drop_overloads, bounded by drop_overload_limit of the runtime, drops"
	}
	if r.numerator >= r.of {
		r.flag, r.details = "UDO", "unconditional_drop_overload"
	}
	return r
}
