package configdump

import "testing"

// TestSameField finds a field by both of the names that protobuf's JSON mapping allows, and by no
// other.
func TestSameField(t *testing.T) {
	for _, c := range []struct {
		key, field string
		same       bool
	}{
		{"filter_chain_match", "filter_chain_match", true},
		{"filterChainMatch", "filter_chain_match", true},
		{"filterchainmatch", "filter_chain_match", false},
		{"filterChain", "filter_chain_match", false},
		{"filterChainMatches", "filter_chain_match", false},
		{"acceptHttp10", "accept_http_10", true},
		{"acceptHttp_10", "accept_http_10", false},
		{"proxy100Continue", "proxy_100_continue", true},
		{"name", "name", true},
		{"", "name", false},
	} {
		if same := sameField(c.key, c.field); same != c.same {
			t.Errorf("%q is %s: %t, want %t", c.key, c.field, same, c.same)
		}
	}
}
