package verify

import (
	"cmp"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// A phrase is words of a decision that say the same as a fact. The facts are those any one
// of which checks them.
type phrase struct {
	words string
	facts []string
}

// phrases are the words in which package infer says a decision, beside the values of facts.
// Longer ones come first.
var phrases = []phrase{
	{"mutual TLS terminated", []string{flow.FactPeerURI, flow.FactXFCC}},
	{"mutual TLS", []string{flow.FactPeerURI}},
	{"TLS terminated", []string{flow.FactTLSVersion, flow.FactHandshakes}},
	{"TLS passed through", []string{flow.FactTLSVersion, flow.FactHandshakes, flow.FactTransport}},
	{"TLS", []string{flow.FactTLSVersion, flow.FactTransport, flow.FactHandshakes}},
	{"clear text", []string{flow.FactTLSVersion, flow.FactTransport, flow.FactHandshakes}},
	{"unnamed", []string{flow.FactFilterChain}},
	{"REDIRECT", []string{flow.FactRedirectPort, flow.FactOriginalDst}},
	{"to port", []string{flow.FactRedirectPort}},
	{"the application on", []string{flow.FactPeer, flow.FactProcess, flow.FactMethod}},
	{"the application", []string{flow.FactPeer, flow.FactProcess, flow.FactMethod}},
	{"answered", []string{flow.FactStatus}},
	{"answers", []string{flow.FactStatus}},
	{"refused with", []string{flow.FactStatus}},
	{"by the proxy", []string{flow.FactDetails, flow.FactFlags}},
	{"no cluster", []string{flow.FactFlags, flow.FactDetails}},
	{"no healthy endpoint", []string{flow.FactFlags, flow.FactDetails}},
	{"no filter chain", []string{flow.FactDetails}},
	{"no listener", []string{flow.FactListener, flow.FactDetails}},
	{"not captured", []string{flow.FactRedirectPort, flow.FactOriginalDst}},
	{"cluster", []string{flow.FactCluster}},
	{"SNI", []string{flow.FactSNI}},
	{"ALPN", []string{flow.FactALPN}},
}

// limit says of each confirmed hop which words of its decision are only inferred.
func (j *judge) limit(hops []flow.HopVerdict) {
	for i := range hops {
		v := &hops[i]
		if v.State != flow.Confirmed {
			continue
		}
		hop := &j.run.Path.Hops[v.Hop]
		var seen []flow.Evidence // in the proxy
		for _, other := range hops {
			if sameProxy(hop, j.run.Path.Hops[other.Hop].Side, j.run.Path.Hops[other.Hop].Proxy) {
				seen = append(seen, other.Evidence...)
			}
		}
		if words := j.alone(hop, seen); words != "" {
			v.Reason = strings.TrimPrefix(v.Reason+"; only inferred: "+words, "; ")
		}
	}
}

// alone are the words of a hop's decision that are inferred and that nothing checked: neither the
// value of a fact that was seen as it was expected, nor words that say such a fact, nor what the
// request itself says. What a hop expects and no instrument watched has been said. They are no part
// of what a confirmed hop claims.
func (j *judge) alone(hop *flow.Hop, evidence []flow.Evidence) string {
	rest := " " + hidden(hop.Decision) + " "
	take := func(words string) { rest = cut(rest, words) }
	var values []string
	agreed := map[string]bool{}
	for _, e := range evidence {
		if !e.Agrees {
			continue
		}
		agreed[e.Fact] = true
		if !strings.HasPrefix(e.Expected, "absent") {
			values = append(values, e.Expected, e.Seen)
		}
	}
	if target, err := j.run.Call.Parsed(); err == nil {
		values = append(values, target.Host, target.Hostname())
	}
	for _, f := range hop.Expect {
		if !f.May && !agreed[f.Name] || flow.FactOf(f.Name).Number == flow.Listed {
			values = append(values, f.Value)
		}
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for _, value := range values {
		if value != "*" {
			take(value)
		}
	}
	for _, p := range phrases {
		if slices.ContainsFunc(p.facts, func(fact string) bool { return agreed[fact] }) {
			take(p.words)
		}
	}
	return strings.Join(strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == ',' || r == '→' }), " ")
}

// cut takes words out of a text where they stand by themselves.
func cut(text, words string) string {
	if words == "" {
		return text
	}
	for at := 0; ; {
		i := strings.Index(text[at:], words)
		if i < 0 {
			return text
		}
		i += at
		end := i + len(words)
		if strings.ContainsRune(" ,", rune(text[i-1])) && strings.ContainsRune(" ,", rune(text[end])) {
			text = text[:i] + text[end:]
			continue
		}
		at = i + 1
	}
}
