package run

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/internal/undo"
)

// TestRulesNotUnderstood infers without rules that cannot be understood, as of a host that has nft
// and no iptables, and says so.
func TestRulesNotUnderstood(t *testing.T) {
	const byIptables = `{"nftables": [{"rule": {"family": "ip", "table": "nat", "chain": "ISTIO_REDIRECT",
		"expr": [{"xt": {"type": "target", "name": "REDIRECT"}}]}}]}`
	for _, c := range []struct {
		name, rules string
		understood  bool
	}{
		{"what iptables-save prints", "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", true},
		{"nft's own rules", `{"nftables": []}`, true},
		{"iptables' rules, printed by nft", byIptables, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSession(Lab{}, undo.NewList(nil, nil, nil))
			s.pods["a.b"] = &watched{parts: map[string][]byte{instrument.RulesBefore: []byte(c.rules)}}
			rules := s.rulesOf("a.b")
			if understood := rules != nil; understood != c.understood {
				t.Errorf("understood: %v, want %v", understood, c.understood)
			}
			if absent := s.WhyAbsent(flow.Netfilter, "a.b") != ""; absent == c.understood {
				t.Errorf("netfilter is absent: %v", absent)
			}
		})
	}
}
