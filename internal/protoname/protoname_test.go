package protoname

import "testing"

func TestAppendJSON(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "name": "name", "filter_chain_match": "filterChainMatch", "filterChainMatch": "filterChainMatch",
		"accept_http_10": "acceptHttp10", "_x": "X", "a__b": "aB", "a_": "a", "a_B": "aB",
	} {
		if got := string(AppendJSON(nil, name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
