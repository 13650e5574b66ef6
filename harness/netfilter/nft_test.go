package netfilter

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/golden"
)

// listingOf is what nft prints of a ruleset: nft's own output, kept beside the ruleset.
func listingOf(t testing.TB, name, ruleset string) string {
	t.Helper()
	file := "testdata/" + name + ".json"
	if golden.Updating() {
		text, err := listedByNFT(ruleset)
		must(t, err)
		must(t, os.WriteFile(file, []byte(text), 0o644))
	}
	text, err := os.ReadFile(file)
	must(t, err)
	return string(text)
}

// senders are who may open a connection in a pod.
var senders = map[string]Sender{
	"application": {}, "root": {0, 0, true}, "proxy": {1337, 1337, true}, "proxy's group": {0, 1337, true},
	"excluded user": {2005, 2005, true}, "another": {2011, 2011, true},
}

// TestNativeNFT is the table of rules that are nft's own, as Istio writes them with nativeNftables,
// and a few that it does not.
func TestNativeNFT(t *testing.T) {
	text, err := os.ReadFile("testdata/native.nft")
	must(t, err)
	rules, err := Parse(listingOf(t, "native", string(text)))
	must(t, err)
	if !rules.CapturesDNS() {
		t.Error("DNS is captured")
	}
	for _, c := range []struct {
		name    string
		way     way
		address string
		port    uint16
		who     string
		to      uint16
		target  string // "" with to 0: past the proxy
	}{
		{"application to a Service", out, "10.96.0.1", 80, "application", 15001, "REDIRECT"},
		{"application to an IPv6 address", out, "2001:db8::1", 80, "application", 15001, "REDIRECT"},
		{"proxy to outside", out, "10.96.0.1", 80, "proxy", 0, ""},
		{"group of the proxy, with a comment", out, "10.96.0.1", 80, "proxy's group", 0, ""},
		{"a user in a set", out, "10.96.0.1", 80, "excluded user", 0, ""},
		{"a user beside the set", out, "10.96.0.1", 80, "another", 15001, "REDIRECT"},
		{"root", out, "10.96.0.1", 80, "root", 15001, "REDIRECT"},
		{"root to its own excluded port", out, "10.96.0.1", 4444, "root", 0, ""},
		{"application to its own pod's address", out, own.String(), 80, "application", 0, ""},
		{"proxy to its own pod's address", out, own.String(), 80, "proxy", 15006, "REDIRECT"},
		{"proxy to its own pod's address at 15008", out, own.String(), 15008, "proxy", 0, ""},
		{"application to loopback", out, "127.0.0.1", 80, "application", 0, ""},
		{"a port in a named set", out, "10.96.0.1", 5432, "application", 0, ""},
		{"a port in a range of a named set", out, "10.96.0.1", 6005, "application", 0, ""},
		{"an address in a prefix of a named set", out, "172.30.1.1", 80, "application", 0, ""},
		{"an address of a named set", out, "192.168.5.1", 80, "application", 0, ""},
		{"an address in a long set, with a log", out, "10.96.1.9", 80, "application", 0, ""},
		{"DNS over TCP", out, "10.96.0.11", 53, "application", 15053, "REDIRECT"},
		{"DNS to another server", out, "10.96.0.12", 53, "application", 15001, "REDIRECT"},
		{"no address translation without tracking", out, "10.96.0.1", 9999, "application", 0, ""},
		{"from outside", in, own.String(), 8080, "application", 15006, "REDIRECT"},
		{"excluded port", in, own.String(), 15090, "application", 0, ""},
		{"excluded range that nft joined", in, own.String(), 15021, "application", 0, ""},
		{"excluded range", in, own.String(), 9010, "application", 0, ""},
		{"TPROXY", in, own.String(), 7777, "application", 15006, "TPROXY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v := rules.Judge(packetTo(c.way, c.address, c.port, senders[c.who])); v.Port != c.to ||
				v.Target != c.target || v.Dropped {
				t.Errorf("%s to %d (%s), expected %s to %d", v.Target, v.Port, v.Why, c.target, c.to)
			}
		})
	}
	for _, port := range []uint16{25, 26, 81} {
		if v := rules.Judge(packetTo(out, "10.96.0.1", port, senders["proxy"])); !v.Dropped ||
			!strings.Contains(v.Why, "drops it") {
			t.Errorf("port %d: %+v", port, v)
		}
	}
}

// TestBoth reads the text of iptables-save with nft's JSON behind it, which has the same tables
// without what their extensions compare, and tables of its own.
func TestBoth(t *testing.T) {
	saved, err := os.ReadFile("testdata/iptables.save")
	must(t, err)
	const listing = `{"nftables": [{"chain": {"family": "ip", "table": "nat", "name": "OUTPUT", "type": "nat",
		"hook": "output", "prio": -100, "policy": "accept"}},
		{"rule": {"family": "ip", "table": "nat", "chain": "OUTPUT",
		  "expr": [{"xt": {"type": "match", "name": "owner"}}, {"return": null}]}},
		{"chain": {"family": "inet", "table": "own", "name": "o", "type": "filter", "hook": "output", "prio": -400,
		  "policy": "accept"}},
		{"rule": {"family": "inet", "table": "own", "chain": "o",
		  "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 81}},
		    {"drop": null}]}}]}`
	rules, err := Parse(string(saved) + listing)
	must(t, err)
	for port, want := range map[uint16]string{80: "REDIRECT", 81: ""} {
		if v := rules.Judge(packetTo(out, "10.96.0.1", port, Sender{})); v.Target != want || v.Dropped != (want == "") {
			t.Errorf("port %d: %+v", port, v)
		}
	}
	if _, err = Parse(listing); err == nil || !strings.Contains(err.Error(), "give what `iptables-save -c` prints") {
		t.Errorf("error %v", err)
	}
}

// TestNFTErrors is the table of texts that are none of nft's.
func TestNFTErrors(t *testing.T) {
	object := func(s string) string { return `{"nftables": [` + s + `]}` }
	rule := func(s string) string {
		return object(`{"rule": {"family": "ip", "table": "x", "chain": "y", "expr": [` + s + `]}}`)
	}
	for text, want := range map[string]string{
		`{"nftables": [`:                                        "unexpected end of JSON",
		`{"tables": []}`:                                        `without a list "nftables"`,
		"table ip x {\n}":                                       "line 1 is not one of iptables-save",
		object(`{"rule": 1}`):                                   "cannot unmarshal",
		rule(`{"accept": null},`):                               "invalid character",
		rule(`{"redirect": {"port": "http"}}`):                  `chain "y" of table ip "x": port "http" is no number`,
		rule(`{"redirect": {"port": 70000}}`):                   "is no number",
		rule(`{"dnat": {"addr": "x"}}`):                         `"x" is no address`,
		rule(`{"vmap": {"key": 1, "data": {"set": [1]}}}`):      "is no pair",
		rule(`{"vmap": {"key": 1, "data": {"set": [[1, 2]]}}}`): "is no verdict",
		rule(`{"xt": {"type": "target", "name": "REDIRECT"}}`):  "was written by iptables",
		rule(`{"match": {"left": {"concat": [1, 2]}, "right": {"set": [3]}, "op": "=="}}`): "has not 2 parts",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, and %q is expected in it", text, err, want)
		}
	}
}

// FuzzParseNFT feeds the reader of nft's JSON, and asks what comes out for connections.
func FuzzParseNFT(f *testing.F) {
	for _, file := range []string{"native", "matches"} {
		text, err := os.ReadFile("testdata/" + file + ".json")
		must(f, err)
		f.Add(string(text))
	}
	var one listing
	text, err := os.ReadFile("testdata/matches.json")
	must(f, err)
	must(f, json.Unmarshal(text, &one))
	for _, o := range one.Objects {
		if o.Rule != nil {
			rule, err := json.Marshal(map[string]any{"nftables": []any{map[string]any{"rule": o.Rule}}})
			must(f, err)
			f.Add(string(rule))
		}
	}
	fuzzRules(f)
}
